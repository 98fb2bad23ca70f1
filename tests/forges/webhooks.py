"""Webhooks of a real Gitea: a receiver, and how what came is made fit to be kept in Git.

`GITOPS_RECORD=1 scripts/test tests/forges/test_webhooks.py` writes `tests/fixtures/webhooks/gitea/`
anew: one file for each event, with its headers and its body. Hosts, ids, times and commits become
the same in every recording, and of users and repositories only what a reader could want is kept;
so a signature is of another body than the one in the file, and is left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from servers.loopback import Handler, Loopback

FOLDER = Path(__file__).parents[1] / "fixtures" / "webhooks" / "gitea"
SECRET = "a secret of the tests"

_USER = ("id", "login", "full_name", "email", "username")
_REPOSITORY = ("id", "name", "full_name", "private", "html_url", "clone_url", "default_branch")
_NUMBERS = ("id", "repo_id", "size", "comments", "issue_id")


class Receiver(Loopback):
    """Takes webhooks on a port of its own; a context manager.

    Attributes:
        came: headers (names in lower case) and raw body of each, oldest first.
    """

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Taking(Handler):
            def do_POST(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                receiver.came.append((headers, self.read_body()))
                self.say(204, (), b"")

        super().__init__(Taking)

    def events(self) -> dict[str, tuple[dict[str, str], Any]]:
        """Return name of the event, and of the action where it has one -> headers and document."""
        found = {}
        for headers, body in list(self.came):
            document = json.loads(body)
            name = headers["x-gitea-event-type"]
            if name == "push" and not _is_first_push(document):
                continue
            action = document.get("action")
            found.setdefault(f"{name}.{action}" if action else name, (headers, document))
        return found


def _is_first_push(document: Any) -> bool:
    """Of several pushes, which come in any order, the one that made the proposal's branch."""
    return document["ref"].startswith("refs/heads/gitops/") and set(document["before"]) == {"0"}


def kept(headers: dict[str, str], document: Any) -> dict[str, Any]:
    """Return what is kept of one webhook."""
    names = sorted(name for name in headers if name.startswith("x-") and "signature" not in name)
    shown = {name: headers[name] for name in names} | {
        name: "…" for name in sorted(headers) if "signature" in name
    }
    shown["x-gitea-delivery"] = shown["x-github-delivery"] = shown["x-gogs-delivery"] = "…"
    return {"headers": dict(sorted(shown.items())), "body": _scrubbed(document)}


def shape(document: Any) -> Any:
    """Return the keys of a document, and of what is in it."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    return [shape(document[0])] if isinstance(document, list) and document else None


def _scrubbed(node: Any, key: str = "") -> Any:
    if isinstance(node, list):
        return [_scrubbed(one, key) for one in node]
    if isinstance(node, dict):
        if "default_branch" in node:
            owner = {"login": node["owner"]["login"]}
            node = {**{name: node[name] for name in _REPOSITORY}, "owner": owner}
        elif "login" in node and "login_name" in node:
            node = {name: node[name] for name in _USER}
        return {name: _scrubbed(value, name) for name, value in node.items()}
    if key in _NUMBERS and isinstance(node, int):
        return 1
    if isinstance(node, str):
        node = re.sub(r"http://127\.0\.0\.1:\d+", "https://git.example.com", node)
        node = re.sub(r"\bshop-[0-9a-f]{10}\b", "shop", node)
        node = re.sub(r"\b(?!0{40})[0-9a-f]{40}\b", "c0ffee" * 6 + "c0ff", node)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*", "2026-01-05T09:00:00Z", node)
    return node
