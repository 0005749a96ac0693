"""Repositories into images: one build per identity, its log, its containers, and the probe of what came out."""
