"""A gitops server, as the command line calls it: one POST, and the question what became of it."""
