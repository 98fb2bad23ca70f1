"""The page: the same actions as the command line's, for people with a browser."""
