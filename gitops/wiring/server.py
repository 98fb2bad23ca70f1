"""Opens the gitops server that `GITOPS_SERVER` names, for the verbs that the command line sends."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.adapters.server.client import ServerClient


def open_server(url: str, tell: Callable[[str], None]) -> ServerClient:
    """Return what calls the server at `url`. Raises UsageError for what is no address.

    `tell` is told when it does not answer, and is waited for.
    """
    from gitops.adapters.server.client import ServerClient, find_token

    return ServerClient(url, partial(find_token, os.environ), os.environ, tell)
