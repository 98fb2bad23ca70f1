"""A server that answers a byte at a time, or without end: every adapter gets out, in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeClock
from gitops.adapters.argocd.connection import Connection
from gitops.adapters.argocd.kubernetes_api import KubernetesCluster
from gitops.adapters.argocd.server_api import ServerCluster
from gitops.adapters.argocd.server_http import ServerConnection, ServerToken
from gitops.adapters.forges.gitea import open_gitea
from gitops.adapters.forges.github import open_github
from gitops.adapters.forges.gitlab import open_gitlab
from gitops.adapters.forges.transport import probe
from gitops.core.forges.address import ForgeAddress, Unknown, WebOrigin
from gitops.core.forges.token import ForgeToken
from gitops.errors import GitopsError, TimedOut, Unavailable
from servers.hostile import ENDLESS, SLOW, Hostile

WITHIN = 0.3  # seconds that each adapter is given
FORGES = {"github": open_github, "gitlab": open_gitlab, "gitea": open_gitea}
ADAPTERS = (*FORGES, "kubernetes", "argocd")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes a kubeconfig for the server at a URL."""

    def write(url: str) -> Path:
        path = tmp_path / "kubeconfig"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n"
            f"clusters: [{{name: it, cluster: {{server: '{url}'}}}}]\n"
            "contexts: [{name: it, context: {cluster: it, user: it}}]\n"
            "users: [{name: it, user: {token: secret}}]\n"
        )
        return path

    return write


def ask(kind: str, url: str, kubeconfig: Callable[[str], Path], within: float) -> object:
    """Ask the server at `url` one question, through an adapter."""
    if kind == "kubernetes":
        environ = {"KUBECONFIG": str(kubeconfig(url))}
        return KubernetesCluster(Connection("it", None, environ, within), "argocd").applications()
    if kind == "argocd":
        return ServerCluster(ServerConnection(url, ServerToken("secret"), within)).applications()
    address = ForgeAddress(kind, url, "shop/m")  # type: ignore[arg-type]
    made = FORGES[kind](address, ForgeToken("secret", "TOKEN"), FakeClock(), within, {})
    return made.find("gitops/prod", "main")


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("where", SLOW)
def test_a_byte_at_a_time(kind: str, where: str, kubeconfig: Callable[[str], Path]) -> None:
    """The time holds for the answer as a whole; what ends is told as that."""
    with Hostile.slow(SLOW[where]) as server:
        begun = time.monotonic()
        with pytest.raises((TimedOut, Unavailable)) as caught:
            ask(kind, server.url, kubeconfig, WITHIN)

    assert time.monotonic() - begun < WITHIN + 2
    assert 75 == caught.value.exit_code
    assert "refusal" in where or isinstance(caught.value, TimedOut), caught.value


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("what", ENDLESS)
def test_no_end(kind: str, what: str, kubeconfig: Callable[[str], Path]) -> None:
    """So much is read and no more; the error is one of ours, and nothing crashes."""
    # What ends by itself has time enough on a busy machine.
    within = 30.0 if what in ("what is packed", "brackets", "redirects") else 1.5
    with Hostile(ENDLESS[what]) as server:
        with pytest.raises(GitopsError) as caught:
            ask(kind, server.url, kubeconfig, within)
        assert server.sent < 3 * (1 << 26) + (1 << 24)

    assert what != "what is packed" or "compressed" in caught.value.message
    assert caught.value.exit_code in ({75, 3} if what == "redirects" else {75}), caught.value


def streams(kind: str, url: str, kubeconfig: Callable[[str], Path]) -> Iterator[bytes]:
    """Open a stream of an adapter, which may go on for `WITHIN`."""
    if kind == "argocd":
        made: Any = ServerConnection(url, ServerToken("secret"), 5.0)
    else:
        made = Connection("it", None, {"KUBECONFIG": str(kubeconfig(url))}, 5.0)
    found: Iterator[bytes] = made.stream("/x", [], longest=WITHIN)
    return found


@pytest.mark.parametrize("kind", ["kubernetes", "argocd"])
def test_a_stream_of_one_line(kind: str, kubeconfig: Callable[[str], Path]) -> None:
    """A line without end comes in parts, and ends as every answer does."""
    longest = 0

    def follow(url: str) -> None:
        nonlocal longest
        for part in streams(kind, url, kubeconfig):
            longest = max(longest, len(part))

    with Hostile(ENDLESS["body"]) as server, pytest.raises(GitopsError):
        follow(server.url)
    assert 0 < longest <= 1 << 16


def test_a_slow_stream(kubeconfig: Callable[[str], Path]) -> None:
    """A stream ends when its time is over, however small the parts are that keep it going."""
    begun = time.monotonic()
    with Hostile.slow(SLOW["in its body"]) as server, pytest.raises(TimedOut):
        list(streams("argocd", server.url, kubeconfig))
    assert time.monotonic() - begun < WITHIN + 2


def unknown(url: str) -> Unknown:
    """Return the place of a server of which nobody knows what it is."""
    return Unknown(WebOrigin("http", "127.0.0.1", int(url.rpartition(":")[2])), True, "shop/m")


@pytest.mark.parametrize("where", SLOW)
def test_a_slow_host_of_no_known_kind(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question which forge a host is ends in time, too."""
    monkeypatch.setattr(probe, "_SECONDS", WITHIN)
    with Hostile.slow(SLOW[where]) as server:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            probe.probe(unknown(server.url), {})

    assert time.monotonic() - begun < WITHIN + 2


@pytest.mark.parametrize("what", [one for one in ENDLESS if one not in ("redirects", "brackets")])
def test_an_endless_host_of_no_known_kind(what: str) -> None:
    """What it answers is no forge, or trouble; never a crash."""
    with Hostile(ENDLESS[what]) as server:
        try:
            found = probe.probe(unknown(server.url), {})
        except Unavailable:
            found = None
    assert found is None
