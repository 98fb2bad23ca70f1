"""`gitops credential`: what Git asks when a GitHub App is who writes."""

import sys
from typing import Annotated

from gitops.cli.options import Argument


def credential(
    action: Annotated[str, Argument("ACTION", "What Git asks for: get, store or erase.", "action")],
) -> int:
    """Answer Git as a credential helper, with a token of a GitHub App."""
    from gitops.wiring import app_credential

    asked = {}
    for line in sys.stdin:
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            break
        asked[key] = value
    if action != "get":  # nothing is kept, so there is nothing to store and to forget
        return 0
    for key, value in app_credential(asked).items():
        sys.stdout.write(f"{key}={value}\n")
    return 0


COMMANDS = {"credential": credential}
