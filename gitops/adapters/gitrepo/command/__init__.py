"""The `git` command: how it runs, what it answers, its settings and credentials."""
