"""Tests of the package that runs in the builder image."""
