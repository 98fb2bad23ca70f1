"""What the answers of both Bitbuckets mean, as values of the port. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gitops.adapters.forges.transport.answers import branch_pattern, plain
from gitops.ports import CheckState, PullRequest
from gitops.ports.forge import PullState

BUILDS = "builds"
"""Bitbucket asks for a number of builds, not for names."""

_STATES: Mapping[str, CheckState] = {"SUCCESSFUL": "success", "INPROGRESS": "pending"}
_PULL_STATES: Mapping[str, PullState] = {"OPEN": "open", "MERGED": "merged"}


def shown_by_cloud(pull: Any, *, head: str, merged_as: str | None) -> PullRequest:
    """Return a pull request of Bitbucket Cloud as the port has it."""
    state = _PULL_STATES.get(str(pull["state"]), "closed")
    return PullRequest(
        number=int(pull["id"]),
        url=str(pull["links"]["html"]["href"]),
        branch=str(pull["source"]["branch"]["name"]),
        base=str(pull["destination"]["branch"]["name"]),
        head=head,
        state=state,
        title=str(pull["title"]),
        body=plain(pull.get("description")),
        author=login(pull.get("author")),
        draft=bool(pull.get("draft")),
        merged_as=merged_as if state == "merged" else None,
    )


def shown_by_server(pull: Any) -> PullRequest:
    """Return a pull request of Bitbucket Data Center as the port has it."""
    state = _PULL_STATES.get(str(pull["state"]), "closed")
    merged = ((pull.get("properties") or {}).get("mergeCommit") or {}).get("id")
    return PullRequest(
        number=int(pull["id"]),
        url=str(pull["links"]["self"][0]["href"]),
        branch=str(pull["fromRef"]["displayId"]),
        base=str(pull["toRef"]["displayId"]),
        head=str(pull["fromRef"]["latestCommit"]),
        state=state,
        title=str(pull["title"]),
        body=plain(pull.get("description")),
        author=str(pull["author"]["user"]["name"]),
        draft=bool(pull.get("draft")),
        merged_as=str(merged) if state == "merged" and merged else None,
    )


def login(user: Any) -> str:
    """Return what a user of Bitbucket Cloud is called; "" for none. Nicknames need not be unique:
    who approved and who proposed are told apart by their ids before they get here."""
    return str((user or {}).get("nickname") or (user or {}).get("display_name") or "")


def quoted(text: str) -> str:
    """Return a text for Bitbucket's query language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def approved_head(pull: Any, activity: Iterable[Any]) -> tuple[str, ...]:
    """Return who approved the present head, without its author, who may on Bitbucket Cloud.

    Args:
        activity: what happened to the pull request, newest first. An approval that is older than
            the push of the present head was given to something else.
    """
    head = str(pull["source"]["commit"]["hash"])
    author = (pull.get("author") or {}).get("uuid")
    standing = {
        one["user"]["uuid"]: login(one["user"])
        for one in pull.get("participants") or ()
        if one.get("approved") and one["user"].get("uuid") not in (None, author)
    }
    given: set[str] = set()
    newer: set[str] = set()  # approvals since whatever the next older change was
    for one in activity:
        if "approval" in one:
            newer.add(str(one["approval"]["user"].get("uuid")))
        elif "update" in one:
            pushed = ((one["update"].get("source") or {}).get("commit") or {}).get("hash")
            if pushed is None:
                continue
            if str(pushed) != head:
                break
            given |= newer
            newer.clear()
    return tuple(name for who, name in standing.items() if who in given)


def gate_of(rules: Iterable[Any], kind: str) -> int:
    """Return the largest number that restrictions of a kind ask for; 0 without one."""
    return max((int(rule.get("value") or 0) for rule in rules if rule["kind"] == kind), default=0)


def build_state(checks: Mapping[str, CheckState], wanted: int) -> CheckState:
    """Return whether enough builds passed, and none failed."""
    states = list(checks.values())
    if "failure" in states:
        return "failure"
    return "success" if states.count("success") >= wanted and "pending" not in states else "pending"


def ended(state: str) -> CheckState:
    """Return the state of a build."""
    return _STATES.get(state, "failure")


def matches(pattern: str, branch: str) -> bool:
    """Does a restriction's pattern match a branch? `*` stays inside a part, `**` goes on."""
    return pattern == branch or branch_pattern(pattern).fullmatch(branch) is not None
