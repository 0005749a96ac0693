"""Backends whose caps hold, and the last resort that only measures."""
