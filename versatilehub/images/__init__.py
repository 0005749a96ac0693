"""Images with a life: what there is and who needs it, what goes and when, registries, and images made ahead of need."""
