"""Alembic's folder: a branch of migrations for each noun of the store."""
