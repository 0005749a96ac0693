"""Where files live: server volumes, and repository content brought into them."""
