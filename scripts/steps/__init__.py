"""The steps from an empty machine to a running hub: one file each, idempotent, standard library only."""
