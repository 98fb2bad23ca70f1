"""What was read of a repository, kept for the next call: a copy that decides nothing."""
