"""`gitops notify`: a real SMTP server and a real hook hear what happened in a real repository."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from manifests import Manifests, Result
from servers.loopback import Handler, Loopback
from servers.processes import free_port

NOTIFY = """\
notify:
  - {channel: oncall, environments: [dev, prod]}
  - {channel: holds, events: [hold]}
  - {channel: nowhere}
"""


class Hook:
    """A chat's incoming hook, which can be told to fail."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200


@pytest.fixture
def hook() -> Iterator[tuple[Hook, str]]:
    """The hook, and its address for apprise."""
    found = Hook()

    class Chat(Handler):
        def do_POST(self) -> None:
            body = self.read_body()
            found.asked += 1
            if found.status == 200:
                found.heard.append(json.loads(body))
            self.say(found.status, (), b"")

    with Loopback(Chat) as server:
        yield found, f"json://127.0.0.1:{server.port}/topsecretpath"


class Mailbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        self.mails.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, str]]:
    """A mail server, and its address for apprise."""
    box = Mailbox()
    port = free_port(set())
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield (
        box,
        f"mailto://127.0.0.1:{port}/?from=gitops@example.com&to=ana@example.com&mode=insecure",
    )
    server.stop()


@pytest.fixture
def settings(hook: tuple[Hook, str], mail: tuple[Mailbox, str], tmp_path: Path) -> Path:
    """Channels for both."""
    path = tmp_path / "channels.yaml"
    rows = [{"name": "oncall", "to": [hook[1], mail[1]]}, {"name": "holds", "to": [hook[1]]}]
    path.write_text(json.dumps({"publicUrl": "https://gitops.example.com", "channels": rows}))
    return path


def begin(manifests: Manifests, settings: Path) -> Any:
    """Configure `notify:`, mark the beginning, and return what tells."""
    content = manifests.file("gitops.yaml")
    manifests.commit("Tell people", {"gitops.yaml": content + NOTIFY})

    def tell(*words: str) -> Result:
        return manifests.gitops("notify", "--settings", str(settings), "-o", "json", *words)

    first = tell()
    assert (0, "begun") == (first.code, first.json["outcome"]), first.err
    return tell


def test_each_thing_is_told_once(
    manifests: Manifests, settings: Path, hook: tuple[Hook, str], mail: tuple[Mailbox, str]
) -> None:
    """A rollback and its hold reach the channels that want them, by mail too, with a link and the
    reason; deploys reach nobody; the next time there is nothing new; a dry run sends nothing."""
    tell = begin(manifests, settings)
    manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev")
    quiet = tell()
    manifests.gitops("rollback", "dev", "--reason", "errors since 03:00")
    manifests.gitops("hold", "test", "--reason", "audit")
    planned = tell("--dry-run")
    heard = list(hook[0].heard)
    told = tell()
    again = tell()

    assert (0, "unchanged") == (quiet.code, quiet.json["outcome"])
    assert "planned" == planned.json["outcome"]
    assert [] == heard
    assert 0 == told.code, told.err
    assert [("oncall", "↩ dev: rolled back"), ("holds", "⏸ test: held")] == [
        (one["channel"], one["title"]) for one in told.json["messages"]
    ]
    assert ["↩ dev: rolled back", "⏸ test: held"] == [one["title"] for one in hook[0].heard]
    body = hook[0].heard[0]["message"]
    assert "Reason: errors since 03:00" in body
    assert "https://gitops.example.com/e/dev" in body
    assert 1 == len(mail[0].mails)
    assert ["nowhere"] == told.json["unknown"]
    assert "unchanged" == again.json["outcome"]
    assert 2 == len(hook[0].heard)
    status = manifests.gitops("status", "-o", "json")
    assert 0 == status.code
    assert "gitops/told" not in status.out


def test_what_waits_for_approval(
    manifests: Manifests, settings: Path, hook: tuple[Hook, str]
) -> None:
    """A proposal is told with the page where it can be approved, and its approval after that."""
    tell = begin(manifests, settings)
    staged = manifests.gitops(
        *("deploy", "shop/api:1.9.0", "--to", "stage", "--ref", "release/1.9", "-o", "json")
    )
    for words in (
        ("qa", "stage", "--pass", "--release", staged.json["commit"]),
        ("promote", "--to", "prod"),
    ):
        done = manifests.gitops(*words)
        assert 0 == done.code, done.err
    waits = tell()
    approved = manifests.gitops(
        "approve", "prod", "--yes", env={"GITOPS_AUTHOR": "Ben <ben@example.com>"}
    )
    merged = tell()

    assert ["⏳ prod waits for approval"] == [one["title"] for one in waits.json["messages"]]
    assert "https://gitops.example.com/e/prod/approve" in hook[0].heard[0]["message"]
    assert 0 == approved.code, approved.err
    assert ["✅ prod: approved"] == [one["title"] for one in merged.json["messages"]]


def test_a_dead_channel_is_given_up(
    manifests: Manifests, settings: Path, hook: tuple[Hook, str], mail: tuple[Mailbox, str]
) -> None:
    """Three tries, then it is kept by name and not told again; the address is shown nowhere, and
    who was reached is not sent to again."""
    tell = begin(manifests, settings)
    manifests.gitops("hold", "dev", "--reason", "INC-42")
    hook[0].status = 503
    failed = tell()
    tries = hook[0].asked
    hook[0].status = 200
    later = tell()

    assert 75 == failed.code
    assert 6 == tries  # three for each of the two channels
    assert 1 == len(mail[0].mails)
    assert "topsecretpath" not in failed.out + failed.err
    assert "unchanged" == later.json["outcome"]
    kept = json.loads(manifests.file("told.json", "gitops/told"))
    assert ["oncall", "holds"] == [one["channel"] for one in kept["failed"]]
    assert "topsecretpath" not in json.dumps(kept)


def test_a_rewritten_branch_is_said(manifests: Manifests, settings: Path) -> None:
    """Where the branch lost what was told last, telling goes on from now, with a note."""
    tell = begin(manifests, settings)
    manifests.gitops("hold", "dev", "--reason", "INC-42")
    kept = json.loads(manifests.file("told.json", "gitops/told"))
    path = manifests.checkout / "told.json"
    path.write_text(json.dumps({**kept, "tips": {"main": "f" * 40}}))
    blob = manifests.git("hash-object", "-w", str(path)).strip()
    index = {"GIT_INDEX_FILE": str(manifests.checkout / "other-index")}
    for words in (
        ("read-tree", "--empty"),
        ("update-index", "--add", "--cacheinfo", f"100644,{blob},told.json"),
    ):
        subprocess.run(["git", *words], cwd=manifests.path, env={**os.environ, **index}, check=True)
    tree = subprocess.run(
        ["git", "write-tree"],
        cwd=manifests.path,
        env={**os.environ, **index},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    commit = manifests.git("commit-tree", tree, "-m", "rewritten").strip()
    manifests.git("update-ref", "refs/heads/gitops/told", commit)
    after = tell()
    again = tell()

    assert 0 == after.code, after.err
    assert ["main was rewritten: what landed before now is not told"] == after.json["notes"]
    assert ([], []) == (again.json["notes"], again.json["events"])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nosuch://secretword/x", "is none that apprise knows"),
        ("file:///etc/passwd", "is no address of apprise"),
    ],
)
def test_bad_addresses(manifests: Manifests, tmp_path: Path, address: str, words: str) -> None:
    """An unknown service, or this machine's disk, is refused without showing the address."""
    path = tmp_path / "channels.yaml"
    path.write_text(json.dumps({"channels": [{"name": "oncall", "to": [address]}]}))
    done = manifests.gitops("notify", "--settings", str(path))

    assert 2 == done.code
    assert words in done.err
    assert "secretword" not in done.err
    assert "passwd" not in done.err
