"""Answers of forges, registries, Argo CD and sign-in services that nobody expects."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from gitops.adapters.argocd import connection, server_api
from gitops.adapters.argocd.clusters import ArgoClusters
from gitops.adapters.argocd.watches import Watcher
from gitops.adapters.forges.gitea.answers import pushed
from gitops.adapters.forges.transport.calls import waiting_time
from gitops.adapters.gitrepo.command.process import Scrubber
from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse
from gitops.adapters.local.folder import LocalFolder
from gitops.adapters.registry.access import RegistryAccess
from gitops.adapters.registry.own_ways import GitHubPackages
from gitops.adapters.server.client import checked
from gitops.adapters.signin.keys import check_times
from gitops.config import load_config
from gitops.core.images.name import ImageName
from gitops.errors import Denied, UsageError
from tests.fakes import FakeClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATE = "Fri, 31 Dec 9999 23:59:59 -2300"
DEEP = "[" * 100_000


def test_a_date_that_no_calendar_has() -> None:
    """A server that tells it tells nothing."""
    assert waiting_time({"retry-after": LATE}, NOW) is None
    assert connection.read_date(LATE) is not None


@pytest.mark.parametrize(
    "read",
    [
        lambda: pushed(DEEP),
        lambda: server_api._content(DEEP.encode()),
        lambda: connection._words(SimpleNamespace(body=DEEP, reason="no", status=500)),
    ],
    ids=["gitea", "log", "refusal"],
)
def test_a_document_that_is_nested_without_end(read: Callable[[], object]) -> None:
    """It says nothing, and ends nothing."""
    assert read() in ((), "", "no")


def test_a_number_that_has_no_end() -> None:
    """JSON has numbers that are none for Python: an odd answer, told as one."""
    access = RegistryAccess({}, FakeClock(), 1.0)
    packages = GitHubPackages(access, {}, "https://api.github.com")
    name = ImageName("ghcr.io", "shop/api")

    with pytest.raises(Exception, match="not as a registry does"):
        packages._version(name, {"id": float("inf"), "name": ""})
    with pytest.raises(Denied, match="is over"):
        check_times({"exp": -(10**400), "iat": 0}, 0.0)


def test_a_token_with_a_line_end_is_shown_to_nobody() -> None:
    """Libraries quote such a header in their errors."""
    with pytest.raises(NoResponse) as told:
        HttpDoor({}).ask(
            "GET",
            "http://127.0.0.1:1/",
            {"Authorization": "Bearer se\ncret"},
            None,
            most=1,
            deadline=Deadline(1.0),
        )
    assert "cret" not in str(told.value)
    config = load_config(
        b"apiVersion: gitops/v1\nkind: Config\nbranch: main\n"
        b"environments:\n  - {name: dev, overlay: dev}\n"
    )
    clusters = ArgoClusters({"ARGOCD_SERVER": "h", "ARGOCD_AUTH_TOKEN": "se\ncret"}, "r")
    with pytest.raises(UsageError, match="line end") as refused:
        clusters.of(config, config.environments[0], within=1.0)
    assert "cret" not in refused.value.message
    assert "cret" not in Scrubber(("se\ncret",))("Invalid header value b'Bearer se\\ncret'")


@pytest.mark.parametrize("url", ["http://[x", "http://h:abc", "http://h:99999"])
def test_a_server_whose_address_is_none(url: str) -> None:
    """A slip of the finger in GITOPS_SERVER is told as what it is."""
    with pytest.raises(UsageError, match="no address of a server"):
        checked(url)


def test_a_makers_interface_is_hung_up_with_its_registry() -> None:
    """Its connections are those of the registry's access: nothing stays open."""
    access = RegistryAccess({}, FakeClock(), 1.0)
    own = GitHubPackages(access, {}, "https://api.github.com")

    assert own._access.door is access.door


def test_a_watch_outlives_what_nobody_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that trips over something odd is opened again: in silence nothing was watched."""
    monkeypatch.setattr("gitops.adapters.argocd.watches._SHORTEST", 0.001)
    again = threading.Event()
    opened: list[int] = []

    def stream() -> Iterator[object]:
        opened.append(1)
        if len(opened) > 1:
            again.set()
        raise ValueError("odd")
        yield

    watcher = Watcher(stream, lambda: None)
    watcher.start()
    assert again.wait(60)
    watcher.stop()


def test_half_a_new_file_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files have no links and the disk is full, nothing is written at all."""

    def no_links(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr("gitops.adapters.local.folder.open", _full_after_half, raising=False)

    with pytest.raises(Denied):
        LocalFolder(str(tmp_path)).write_new({"a.yaml": b"x" * 100})
    assert not [*tmp_path.iterdir()]


def _full_after_half(place: object, mode: str) -> object:
    file = open(place, mode)  # type: ignore[call-overload]  # noqa: SIM115
    if mode != "xb":
        return file

    class Full:
        """A file on a full disk."""

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            file.close()

        def write(self, content: bytes) -> None:
            file.write(content[: len(content) // 2])
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            file.flush()

    return Full()
