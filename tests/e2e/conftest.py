"""What the stories over HTTP begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manifests import Manifests
from servers.git_http import GitServer


@pytest.fixture
def server(manifests: Manifests) -> Iterator[GitServer]:
    """The repository of the test, served over HTTP."""
    manifests.git("config", "http.receivepack", "true")
    with GitServer(manifests.path.parent) as running:
        yield running
