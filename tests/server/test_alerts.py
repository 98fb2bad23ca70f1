"""Hooks and alerts: a real repository goes back to its stable release, once, and only if it may."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from cli.commands.test_qa import deploy, record
from gitops.actions.alerts import AlertMemory, judge_alerts
from gitops.actions.argocd.verification import verify_rollbacks
from gitops.actions.context.session import Session
from gitops.actions.index.state import read_state
from gitops.actions.notify import notify
from gitops.adapters.gitrepo.repository import GitRepository
from gitops.cli.render.alerts import read_body
from gitops.core.alerts.verification import RollbackVerification, read_verifications
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from gitops.wiring import open_kept
from manifests import Manifests
from server.conftest import ORIGIN

SECRET = "0123456789abcdef"
KINDS = ("github", "gitea", "forgejo", "gitlab", "bitbucket", "azure", "registry", "argocd")
HOOKS = "hooks:\n" + "".join(
    f"  - {{kind: {kind}, name: {name}, secret: {SECRET}}}\n"
    for kind, name in (
        ("alertmanager", "main"),
        *((one, "m") for one in KINDS),
    )
)
ALERTS = """\
alerts:
  - {name: errors, match: {alertname: Errors}, environment: {label: env}, within: 30m}
"""


@pytest.fixture
def stable(manifests: Manifests) -> tuple[str, str]:
    """A stable release in stage, and a newer one; stage goes back by itself."""
    text = manifests.file("gitops.yaml")
    row = '    accepts: ["release/{version}"]\n    deploy: auto '
    assert row in text
    text = text.replace(row, f"    onAlert: rollback\n{row}") + ALERTS
    manifests.commit("Go back by alerts", {"gitops.yaml": text})
    good = deploy(manifests, "1.5.0")
    record(manifests, good, "stable")
    return good, deploy(manifests, "1.5.1")


@pytest.fixture
def client(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server with hooks."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    settings = parse_settings(HOOKS.encode(), "settings.yaml")
    service = Service(ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080), file=settings))
    with TestClient(create_app(service), base_url=ORIGIN) as made:
        made.service = service  # type: ignore[attr-defined]
        yield made


def alert(environment: str = "stage", *, after: float = 1.0, **changes: Any) -> dict[str, Any]:
    """An alert that began so many seconds from now."""
    begun = datetime.now(UTC) + timedelta(seconds=after)
    return {
        "status": "firing",
        "labels": {"alertname": "Errors", "env": environment},
        "annotations": {"summary": "errors in stage"},
        "startsAt": begun.isoformat(),
        "fingerprint": "c2a9",
        **changes,
    }


class Later:
    """The time of this machine, and some hours."""

    def __init__(self, hours: float) -> None:
        self._more = timedelta(hours=hours)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._more

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@contextmanager
def opened(manifests: Manifests, hours: float = 0) -> Iterator[Session]:
    """A session of its own, in so many hours."""
    with open_kept(str(manifests.path)) as session:
        yield replace(session(), clock=Later(hours))


class Ear:
    """A channel that hears everything."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def names(self) -> tuple[str, ...]:
        return ("oncall",)

    def send(self, channel: str, title: str, body: str) -> None:
        self.titles.append(title)


def heard(manifests: Manifests) -> list[str]:
    """What people are told now."""
    ear = Ear()
    with opened(manifests) as session:
        notify(session, ear)
    return ear.titles


def beside(manifests: Manifests) -> dict[str, RollbackVerification]:
    """What Git has on rollbacks by themselves."""
    return read_verifications(manifests.file("afterwards.json", "gitops/told").encode())


def await_(question: Callable[[], object]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end
        time.sleep(0.05)


def send(client: TestClient, *alerts: dict[str, Any], **top: Any) -> Any:
    """Send a body as Alertmanager does."""
    return client.post(
        "/hooks/alertmanager/main",
        json={"version": "4", "alerts": list(alerts), **top},
        headers={"Authorization": f"Bearer {SECRET}"},
    )


def test_an_alert_goes_back_once(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """One commit to the stable release, held, with the alert in it; a repeat changes nothing."""
    fires = alert()
    first = send(client, fires)
    head = manifests.git("rev-parse", "main").strip()
    again = send(client, fires)

    assert 200 == first.status_code, first.text
    (done,) = first.json()["alerts"]
    assert ("rollback", "committed", head, stable[1]) == (
        done["decision"],
        done["outcome"],
        done["commit"],
        done["release"],
    )
    message = manifests.git("log", "-1", "--format=%B%n%an", "main")
    assert "Gitops-Alert: Errors c2a9 " in message
    assert "Gitops-Via: alert" in message
    assert "gitops on behalf of Errors" in message
    assert f"Gitops-Restores: {stable[0]}" in message
    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    assert 200 == again.status_code
    assert head == manifests.git("rev-parse", "main").strip()
    (repeat,) = again.json()["alerts"]
    assert ("none", None) == (repeat["decision"], repeat["outcome"])
    assert "is watched" in repeat["reason"]
    page = client.get("/alerts").text
    assert "Errors" in page


@contextmanager
def taken_in(
    service: Service, monkeypatch: pytest.MonkeyPatch, post: Callable[[], object], times: int
) -> Iterator[None]:
    """So many alerts are being decided about, and not one of them is through."""
    came, over, real = threading.Event(), threading.Event(), judge_alerts

    def judge(*args: Any) -> Any:
        came.set()
        assert over.wait(60)
        return real(*args)

    monkeypatch.setattr("gitops.server.alerts.desk.judge_alerts", judge)
    with ThreadPoolExecutor(times) as pool:
        posts = [pool.submit(post) for _ in range(times)]
        try:
            assert came.wait(60)
            await_(lambda: service.workers.busy + service._alarms.busy >= times)
            yield
        finally:
            over.set()
        for one in posts:
            one.result(60)


def test_pages_wait_for_no_alert(
    client: TestClient, stable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come in, and however long one takes: people look, and go back by hand."""
    service: Service = client.service  # type: ignore[attr-defined]
    await_(lambda: service.board.current() is not None)
    with taken_in(service, monkeypatch, lambda: send(client, alert()), 9):
        with ThreadPoolExecutor(1) as pool:
            assert [] == pool.submit(service.alerts.taken).result(10)
        assert 200 == client.get("/alerts").status_code
        assert 200 == client.get("/e/stage/rollback").status_code


def test_what_went_back_is_watched(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """Until the alert has ended; another server knows it from Git, and people hear of it once."""
    content = manifests.file("gitops.yaml")
    manifests.commit("Tell people", {"gitops.yaml": content + "notify: [{channel: oncall}]\n"})
    assert [] == heard(manifests)
    fires = alert()
    (done,) = send(client, fires).json()["alerts"]
    keeper = client.service.verifications  # type: ignore[attr-defined]
    client.service.board.wake()  # type: ignore[attr-defined]
    await_(lambda: "stage" in keeper.known())
    watching = keeper.known()["stage"]
    seen = client.get("/alerts").text
    other = {**fires, "startsAt": "2026-01-01T00:00:00Z"}
    send(client, {**other, "status": "resolved", "endsAt": fires["startsAt"]})
    open_still = beside(manifests)["stage"].ended is None
    ends = {**fires, "status": "resolved", "endsAt": fires["startsAt"]}
    assert 200 == send(client, ends).status_code
    client.service.board.wake()  # type: ignore[attr-defined]
    await_(lambda: keeper.known()["stage"].outcome == "recovered")

    assert (done["commit"], "Errors", "watching") == (
        watching.commit,
        watching.cause,
        watching.outcome,
    )
    assert "Watched" in seen
    assert open_still  # another firing of the same alert, long ago
    assert "Recovered" in client.get("/alerts").text
    rolled, recovered = heard(manifests)
    assert "↩ stage: rolled back" == rolled
    assert "🟢 stage has recovered since it was rolled back" == recovered
    assert [] == heard(manifests)
    settings = ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080), read_only=True)
    with TestClient(create_app(Service(settings)), base_url=ORIGIN) as again:
        await_(lambda: "Recovered" in again.get("/alerts").text)


def test_other_instances_of_its_rule_are_no_news(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """A rule fires once for each pod, and again when a label of it changes: people hear of nothing
    while the rollback is watched, it has ended when all have, and what comes later is told."""
    first, other = alert(), alert(fingerprint="d3b0")
    send(client, first)
    keeper = client.service.verifications  # type: ignore[attr-defined]
    client.service.board.wake()  # type: ignore[attr-defined]
    await_(lambda: "stage" in keeper.known())
    (same,) = send(client, other).json()["alerts"]
    over = {"status": "resolved", "endsAt": first["startsAt"]}
    send(client, {**first, **over}, other)
    open_still = beside(manifests)["stage"].ended is None
    send(client, {**other, **over})
    client.service.board.wake()  # type: ignore[attr-defined]
    await_(lambda: keeper.known()["stage"].outcome == "recovered")
    (anew,) = send(client, alert(fingerprint="e4c1")).json()["alerts"]

    assert "none" == same["decision"]
    assert "is watched" in same["reason"]
    assert open_still
    assert "tell" == anew["decision"]
    assert "is a rollback itself" in anew["reason"]


def test_who_does_not_recover_is_told_of_once(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """After the bound, whoever looks then; nothing is written to main, and late is late."""
    content = manifests.file("gitops.yaml")
    manifests.commit("Tell people", {"gitops.yaml": content + "notify: [{channel: oncall}]\n"})
    heard(manifests)
    fires = alert()
    send(client, fires)
    head = manifests.git("rev-parse", "main")
    with opened(manifests) as session:
        soon = verify_rollbacks(session, read_state(session), {})
    with opened(manifests, hours=1) as session:
        alone = verify_rollbacks(session, read_state(session), {}, is_alone=True)
        late = verify_rollbacks(session, read_state(session), {})
    first, second = heard(manifests), heard(manifests)
    send(client, {**fires, "status": "resolved", "endsAt": fires["startsAt"]})
    with opened(manifests, hours=2) as session:
        at_last = verify_rollbacks(session, read_state(session), {})

    assert ["watching", "watching", "not-recovered", "recovered"] == [
        one["stage"].outcome for one in (soon, alone, late, at_last)
    ]
    assert ["↩ stage: rolled back", "🚨 stage has not recovered since it was rolled back"] == first
    assert [] == second
    assert ["🟢 stage has recovered since it was rolled back"] == heard(manifests)
    assert head == manifests.git("rev-parse", "main")


def test_something_newer_ends_the_watch(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """Whoever deploys over it has taken it over: nothing is told of it any more."""
    send(client, alert())
    with opened(manifests) as session:
        assert "stage" in verify_rollbacks(session, read_state(session), {})
    assert 0 == manifests.gitops("resume", "stage").code
    deploy(manifests, "1.5.2")
    with opened(manifests, hours=1) as session:
        assert {} == verify_rollbacks(session, read_state(session), {})
    assert {} == beside(manifests)


@pytest.mark.parametrize(
    ("changes", "top", "words"),
    [
        ({"after": -7200}, {}, "older trouble"),
        ({}, {"truncatedAlerts": 4}, "left out 4"),
        ({"labels": {"alertname": "Other"}}, {}, "no row"),
        ({"environment": "nowhere"}, {}, "no overlay nowhere"),
        ({"environment": "dev"}, {}, "onAlert is off"),
    ],
)
def test_guards(
    client: TestClient,
    manifests: Manifests,
    stable: tuple[str, str],
    changes: dict[str, Any],
    top: dict[str, Any],
    words: str,
) -> None:
    """Each says no with its reason, and nothing is committed."""
    head = manifests.git("rev-parse", "main")
    done = send(client, alert(**changes), **top)

    assert 200 == done.status_code, done.text
    assert words in done.json()["alerts"][0]["reason"]
    assert head == manifests.git("rev-parse", "main")


def test_never_a_guess_and_never_past_a_hold(
    client: TestClient, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """Without a stable release, or with a hold, it is left to people."""
    manifests.gitops("hold", "stage", "--reason", "audit")
    held = send(client, alert()).json()["alerts"][0]

    assert ("tell", None) == (held["decision"], held["outcome"])
    assert "held by" in held["reason"]


def test_the_tip_is_asked_for_once(
    manifests: Manifests,
    stable: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Judging a body asks the remote where its branch is once, not for each look at it."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"version": "4", "alerts": [alert(after=-7200)]}))
    asked: list[str | None] = []
    snapshot = GitRepository.snapshot

    def counted(self: GitRepository, branch: str | None = None) -> Any:
        asked.append(branch)
        return snapshot(self, branch)

    monkeypatch.setattr(GitRepository, "snapshot", counted)
    with opened(manifests) as session:
        state, judged = judge_alerts(session, read_body(str(path)), AlertMemory())

    assert 1 == asked.count(None)
    assert (stable[1], "tell") == (state.cells["stage"].release.commit, judged[0].action)


def test_dry_run_on_a_terminal(
    manifests: Manifests, stable: tuple[str, str], tmp_path: Path
) -> None:
    """`gitops alerts test` says what would be done, writes nothing, and ends 1 for nothing."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"version": "4", "alerts": [alert()]}))
    head = manifests.git("rev-parse", "main")
    would = manifests.gitops("alerts", "test", str(path))
    path.write_text(json.dumps({"version": "4", "alerts": [alert(after=-7200)]}))
    wont = manifests.gitops("alerts", "test", str(path), "-o", "json")
    path.write_text("{}")
    broken = manifests.gitops("alerts", "test", str(path))

    assert 0 == would.code, would.err
    assert "Errors  stage  would be rolled back" in would.out
    assert head == manifests.git("rev-parse", "main")
    assert (1, "tell") == (wont.code, wont.json["alerts"][0]["decision"])
    assert 2 == broken.code
    assert "no list `alerts`" in broken.err


def signed(kind: str, body: bytes) -> dict[str, str]:
    """The headers of a hook, as its kind signs it."""
    digest = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    return {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "bitbucket": {"X-Hub-Signature": f"sha256={digest}"},
        "gitea": {"X-Gitea-Signature": digest},
        "forgejo": {"X-Forgejo-Signature": digest},
        "gitlab": {"X-Gitlab-Token": SECRET},
        "registry": {"Authorization": SECRET},
        "argocd": {"Authorization": f"Bearer {SECRET}"},
        "azure": {"Authorization": f"Basic {b64encode(f'gitops:{SECRET}'.encode()).decode()}"},
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_are_proved(client: TestClient, kind: str) -> None:
    """A signed one causes a look; another body, no signature, or a wrong one is refused."""
    body, json_type = b'{"ref": "refs/heads/main"}', {"Content-Type": "application/json"}
    path = f"/hooks/{kind}/m"

    def post(content: bytes, headers: dict[str, str]) -> int:
        return int(client.post(path, content=content, headers={**json_type, **headers}).status_code)

    assert 202 == post(body, signed(kind, body))
    assert 401 == post(body, {})
    assert 401 == post(body, dict.fromkeys(signed(kind, body), "sha256=00"))
    if kind not in ("gitlab", "registry", "argocd", "azure"):  # they sign no body
        assert 401 == post(b'{"ref": "refs/heads/other"}', signed(kind, body))


def test_each_hook_is_followed_by_a_look(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that comes right after a look that another one caused: what it tells of is newer."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    settings = parse_settings(HOOKS.encode(), "settings.yaml")
    listen = Listen("127.0.0.1", 8080)
    service = Service(ServerSettings(str(manifests.path), listen, file=settings), every=3600)
    with TestClient(create_app(service), base_url=ORIGIN) as client:
        await_(service.board.current)
        for looks in (2, 3):
            body, kind = b"{}", {"Content-Type": "application/json"}
            hook = client.post(
                "/hooks/github/m", content=body, headers={**kind, **signed("github", body)}
            )
            assert 202 == hook.status_code
            await_(lambda looks=looks: service.board.looks == looks)


def test_bad_hooks(client: TestClient) -> None:
    """Unknown ones are not found; no JSON, or no body of alerts, is a 400; none is a GET."""
    bearer = {"Authorization": f"Bearer {SECRET}"}

    assert 404 == client.post("/hooks/github/other", json={}).status_code
    assert 400 == client.post("/hooks/alertmanager/main", content=b"x", headers=bearer).status_code
    assert 400 == client.post("/hooks/alertmanager/main", json={}, headers=bearer).status_code
    assert client.get("/hooks/github/m").status_code in (404, 405)
    too_large = client.post("/hooks/alertmanager/main", content=b" " * (2 << 20), headers=bearer)
    assert 413 == too_large.status_code
