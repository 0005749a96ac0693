"""The tests: one folder per kind, slowest last; CONTRIBUTING.md says which kind a test is."""
