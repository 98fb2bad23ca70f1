"""`python -m gitops`, and the `gitops` command."""

from gitops.cli.app import main

if __name__ == "__main__":
    main()

__all__ = ["main"]
