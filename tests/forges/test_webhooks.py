"""The recorded webhooks are what a real Gitea sends, signed as it says."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from pathlib import Path

import pytest

from forges.gitea_world import gitea_place, gitea_world
from forges.statuses import report
from forges.webhooks import FOLDER, SECRET, Receiver, kept, shape
from gitops.ports import PullText
from servers.gitea import GiteaServer

WANTED = {
    *("push", "status", "pull_request.opened", "pull_request.edited", "pull_request.closed"),
    *("pull_request_sync.synchronized", "pull_request_comment.created"),
    "pull_request_review_approved.reviewed",
}


@pytest.mark.slow
def test_recorded_webhooks_are_true(gitea: GiteaServer, tmp_path: Path) -> None:
    """A story on the real server gives the recorded events, with the same headers and fields."""
    place = gitea_place(gitea, tmp_path)
    with Receiver() as receiver, gitea_world(place) as world:
        config = {"url": receiver.url, "content_type": "json", "secret": SECRET}
        hook = {"type": "gitea", "active": True, "config": config}
        events = ["push", "status", "pull_request", "pull_request_sync", "pull_request_comment"]
        events += ["pull_request_review_approved", "pull_request_review_rejected"]
        path = f"/repos/{place.repository}/hooks"
        gitea.call("POST", path, {**hook, "events": events}, user="ana")
        world.propose()
        pull = world.forge.open(world.branch, world.base, PullText("prod: api 1 -> 2", "text"))
        world.forge.comment(pull.number, "replaces 1 by 2")
        world.forge.update(pull.number, PullText("prod: api 1 -> 3", "text"))
        head = world.propose("3")
        gitea.wait_for(lambda: "pull_request_sync.synchronized" in receiver.events())
        world.people.approve(pull.number)
        report(world.forge, head, "ci/build", "success", "green", "https://ci.example.com/1")
        world.forge.merge(pull.number, head, "merge", "Merge", "text")
        gitea.wait_for(lambda: WANTED <= receiver.events().keys())
        came, found = list(receiver.came), receiver.events()

    for headers, body in came:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert signature == headers["x-gitea-signature"]
        assert f"sha256={signature}" == headers["x-hub-signature-256"]
    if os.environ.get("GITOPS_RECORD"):
        for name in sorted(WANTED):
            text = json.dumps(kept(*found[name]), indent=1, ensure_ascii=False)
            (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    for name in WANTED:
        recorded = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert shape(recorded) == shape(kept(*found[name])), name


def test_every_recording_is_small_and_clean() -> None:
    """What is kept in Git has no host of a test, no secret, and no signature."""
    files = sorted(FOLDER.glob("*.json"))

    assert WANTED == {path.stem for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text) < 20_000, path.name
        assert "127.0.0.1" not in text
        assert SECRET not in text
        headers = json.loads(text)["headers"]
        assert headers["x-gitea-event-type"] == path.stem.partition(".")[0]
        assert {"…"} == {value for name, value in headers.items() if "signature" in name}
