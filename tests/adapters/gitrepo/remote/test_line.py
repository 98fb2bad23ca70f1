"""The line to a remote: connected early, and only where Git's settings lead there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.remote.line import Line, open_line
from gitops.adapters.gitrepo.wire.wire import NotGit
from gitrepos import ENVIRON

CONDITION = '[includeIf "gitdir:{}"]\n\tpath = more\n'
PROXY = "[http]\n\tproxy = http://127.0.0.1:1\n"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Somebody who would be connected to; nobody is answered."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        one.settimeout(60)
        yield one


def url_of(listening: socket.socket, secret: str = "") -> str:
    """Return the address of a repository there."""
    return f"http://{secret}127.0.0.1:{listening.getsockname()[1]}/m.git"


def nobody_came(listening: socket.socket) -> bool:
    """Say whether no connection was made. All that was to be made has been."""
    listening.setblocking(False)
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def begun(line: Line) -> None:
    """Begin, and wait for the end of what was begun. Raises NotGit where git speaks."""
    line.begin()
    _, connecting = line.take()
    assert connecting is not None
    connecting.wait("waiting")


def test_it_is_connected_and_nothing_is_said(listening: socket.socket) -> None:
    """The connection stands before anything is asked; no secret of the address is sent by then."""
    line = open_line(url_of(listening, "ana:s3cret@"), environ=ENVIRON)
    line.begin()
    line.begin()
    there, _ = listening.accept()
    with there:
        wire, connecting = line.take()
        assert connecting is not None
        connecting.wait("waiting")
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)
        assert nobody_came(listening)
        assert line.take()[0] is not wire
        assert line.take()[1] is None
        wire.close()
    line.close()


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        (PROXY, {}),
        ('[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1:\n', {}),
        ("[include]\n\tpath = more\n", {}),
        (CONDITION.format("{stores}/"), {}),
        (CONDITION.format("**/gitops-store-*"), {}),
        ("[http\n", {}),
        ("", {"http_proxy": "http://127.0.0.1:1"}),
        ("", {"GIT_TRACE": "1"}),
    ],
)
def test_nothing_is_connected_to_where_git_speaks(
    listening: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
    variables: dict[str, str],
) -> None:
    """A proxy, another address, settings for the place of the stores, or ones that git refuses."""
    stores = tmp_path / "stores"
    stores.mkdir()
    monkeypatch.setenv("TMPDIR", str(stores))
    (tmp_path / "more").write_text(PROXY)
    config = tmp_path / "config"
    config.write_text(settings.replace("{stores}", str(stores)))
    environ = ENVIRON | {"GIT_CONFIG_GLOBAL": str(config)} | variables
    line = open_line(url_of(listening), environ=environ)

    with pytest.raises(NotGit):
        begun(line)

    assert nobody_came(listening)
    assert [] == list(stores.iterdir())
    line.close()


def test_settings_for_another_place_do_not_count(listening: socket.socket, tmp_path: Path) -> None:
    """What is included for repositories elsewhere says nothing of this one."""
    (tmp_path / "more").write_text(PROXY)
    config = tmp_path / "config"
    config.write_text(CONDITION.format(f"{tmp_path}/elsewhere/"))
    line = open_line(url_of(listening), environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(config)})

    begun(line)

    assert not nobody_came(listening)
    line.close()


def test_a_line_that_nobody_takes(listening: socket.socket) -> None:
    """Closing ends the connection that was made for nothing."""
    line = open_line(url_of(listening), environ=ENVIRON)
    line.begin()
    there, _ = listening.accept()
    there.settimeout(60)

    line.close()

    assert b"" == there.recv(1)
    there.close()
