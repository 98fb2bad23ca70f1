"""Commits other than the tip: history, trees, signatures, fetched when asked for."""
