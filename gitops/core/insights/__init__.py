"""How releases went, in numbers: how often, how fast, how many were taken back, and how sure."""
