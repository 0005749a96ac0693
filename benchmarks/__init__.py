"""Side-by-side figures: ours and a peer or a floor, measured in turns in one run."""
