"""The application as a whole: what it answers before and after the first look at Git."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gitops.errors import ConfigError, UsageError
from gitops.server.app import create_app
from gitops.server.run import check_open
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings, read_listen
from manifests import Manifests

HERE = Listen("127.0.0.1", 8080)


@pytest.fixture
def client(manifests: Manifests) -> Iterator[TestClient]:
    """A client of a server on the sample, after the first look."""
    service = Service(ServerSettings(str(manifests.path), HERE))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as made:
        while service.board.current() is None:
            time.sleep(0.01)
        yield made


def test_the_board_lists_what_git_says(client: TestClient) -> None:
    """Every environment stands on the first page, and the server is ready."""
    page = client.get("/")

    assert page.status_code == 200
    assert "stage" in page.text
    assert "prod" in page.text
    assert client.get("/readyz").status_code == 200
    assert client.get("/healthz").text == "ok\n"


def test_without_git_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    """A repository that is not there keeps people away, and does not restart the process."""
    service = Service(ServerSettings(str(tmp_path / "none"), HERE))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as made:
        assert made.get("/healthz").status_code == 200
        assert made.get("/readyz").status_code == 503
        assert made.get("/").status_code == 200


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), (":80", "0.0.0.0", 80)],
)
def test_addresses_to_listen_on(text: str, host: str, port: int) -> None:
    """Host and port, also of IPv6; without a host, every address."""
    assert read_listen(text) == Listen(host, port)


@pytest.mark.parametrize("text", ["8080", "host:", "host:99999", "host:8o8o", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A typo does not become another address."""
    with pytest.raises(UsageError):
        read_listen(text)


def test_beyond_loopback_somebody_must_sign_in() -> None:
    """A server that everybody could act on does not start."""
    everywhere = Listen("0.0.0.0", 8080)

    with pytest.raises(UsageError):
        check_open(ServerSettings(".", everywhere))
    check_open(ServerSettings(".", everywhere, read_only=True))
    check_open(ServerSettings(".", HERE))


def test_settings_say_all_that_is_wrong_at_once() -> None:
    """Each problem with its place; an unknown key is one."""
    with pytest.raises(ConfigError) as found:
        parse_settings(b"publicUrl: 7\npublicurl: x\n", "server.yaml")

    assert [one.split(": ")[0] for one in found.value.reasons] == [
        "server.yaml:1:12",
        "server.yaml:2:1",
    ]
    assert parse_settings(b"", "server.yaml").keys == {}
