"""Nobody is signed in, or not well enough: the one answer with status 401."""

from __future__ import annotations

from gitops.errors import Denied


class Unproved(Denied):
    """It is not known who asks; signing in is the way out."""

    http_status = 401
