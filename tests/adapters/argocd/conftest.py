"""A control plane in memory, and the API server before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from applications import an_application
from fake_cluster import Plane
from servers.kube_api import KubeStub


@pytest.fixture
def plane() -> Plane:
    """A control plane with one Application."""
    plane = Plane()
    plane.put(an_application())
    return plane


@pytest.fixture
def stub(plane: Plane) -> Iterator[KubeStub]:
    """An API server before it."""
    with KubeStub(plane) as running:
        yield running
