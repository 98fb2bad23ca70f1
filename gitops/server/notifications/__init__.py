"""Who tells people: what `gitops notify` does, each time that the board changed."""
