"""One writer for a crowd: verbs run as they are, meet at the push, and go in together."""
