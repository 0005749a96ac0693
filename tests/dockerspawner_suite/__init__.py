"""DockerSpawner's own tests, run against ours: fetched when they are needed, never kept in this repository."""
