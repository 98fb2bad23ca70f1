"""`python -m gitops`, and the `gitops` command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; what it will read is asked for while the rest is loaded."""
    try:
        from gitops.cli.early import begin

        begin(sys.argv[1:], os.environ)
        from gitops.cli.app import main as run
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
