"""What the answers of Azure DevOps mean, as values of the port. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from gitops.adapters.forges.transport.answers import plain
from gitops.ports import CheckState, PullRequest
from gitops.ports.forge import PullState

REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
"""Type of the policy that asks for a number of reviewers."""

STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
"""Type of the policy that asks for a status."""

BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
"""Type of the policy that asks for a build."""

HEADS = "refs/heads/"
_LONGEST_TEXT = 4000  # of a description
_APPROVED = (10, 5)  # approved, and approved with suggestions
_STATES: Mapping[str, CheckState] = {
    "succeeded": "success",
    "notApplicable": "success",
    "failed": "failure",
    "error": "failure",
}
_PULL_STATES: Mapping[str, PullState] = {"active": "open", "completed": "merged"}


def shown(pull: Any, page: str, messages: tuple[str, ...] = ()) -> PullRequest:
    """Return a pull request as the port has it; `page` is the address of the repository's page."""
    state = _PULL_STATES.get(str(pull["status"]), "closed")
    merged = (pull.get("lastMergeCommit") or {}).get("commitId")
    return PullRequest(
        number=int(pull["pullRequestId"]),
        url=f"{page}/pullrequest/{pull['pullRequestId']}",
        branch=str(pull["sourceRefName"]).removeprefix(HEADS),
        base=str(pull["targetRefName"]).removeprefix(HEADS),
        head=str((pull.get("lastMergeSourceCommit") or {}).get("commitId") or ""),
        state=state,
        title=str(pull["title"]),
        body=plain(pull.get("description")),
        author=who(pull.get("createdBy")),
        draft=bool(pull.get("isDraft")),
        merged_as=str(merged) if state == "merged" and merged else None,
        messages=messages,
    )


def sent(body: str) -> str:
    """Return a text as it fits into a description."""
    if len(body) <= _LONGEST_TEXT:
        return body
    return f"{body[: _LONGEST_TEXT - 4].rstrip()}\n…"


def who(user: Any) -> str:
    """Return the unique name of a user, "" for none."""
    return str((user or {}).get("uniqueName") or (user or {}).get("displayName") or "")


def words_of(document: Any) -> str:
    """Return what a refusal says."""
    return str(document.get("message") or "")


def approved_head(
    pull: Any, threads: Iterable[Any], iterations: Sequence[Any], head: str
) -> tuple[str, ...]:
    """Return who approved the present head, without who opened it.

    Args:
        threads: what was said, and what the system says of votes: a vote that is older than the
            newest push was given to something else.
        iterations: the pushes, oldest first.
    """
    author = who(pull.get("createdBy"))
    voted = [
        who(one)
        for one in pull.get("reviewers") or ()
        if one.get("vote") in _APPROVED and not one.get("isContainer") and who(one) != author
    ]
    if len(iterations) < 2:
        return tuple(voted)
    newest = iterations[-1]
    if (newest.get("sourceRefCommit") or {}).get("commitId") != head:
        return ()
    since = _time(newest["createdDate"])
    given = {name for name, time in _votes(threads) if time >= since}
    return tuple(name for name in voted if name in given)


def _votes(threads: Iterable[Any]) -> Iterator[tuple[str, datetime]]:
    """Yield who approved when, as the system wrote it down."""
    for thread in threads:
        properties = thread.get("properties") or {}
        if _value(properties, "CodeReviewThreadType") != "VoteUpdate":
            continue
        if _value(properties, "CodeReviewVoteResult") not in {str(vote) for vote in _APPROVED}:
            continue
        for comment in (thread.get("comments") or ())[:1]:
            yield who(comment.get("author")), _time(thread["publishedDate"])


def _value(properties: Any, name: str) -> str:
    value = properties.get(name)
    return str(value.get("$value", "") if isinstance(value, dict) else value or "")


def _time(text: object) -> datetime:
    # Seven digits of a second are more than Python before 3.11 reads; the rest is cut.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(text)))


def state_of(status: Any) -> CheckState:
    """Return the state of a status."""
    return _STATES.get(str(status.get("state")), "pending")


def status_name(context: Any) -> str:
    """Return what a status is called."""
    return "/".join(filter(None, (str(context.get("genre") or ""), str(context.get("name")))))


def is_for(policy: Any, repository: str, branch: str) -> bool:
    """Does a policy count for a branch of a repository (its id)?"""
    if not (policy.get("isEnabled") and policy.get("isBlocking")):
        return False
    for scope in (policy.get("settings") or {}).get("scope") or ():
        if scope.get("repositoryId") not in (None, repository):
            continue
        name, kind = str(scope.get("refName") or ""), str(scope.get("matchKind") or "").lower()
        ref = f"{HEADS}{branch}"
        if not name or ref == name or (kind == "prefix" and ref.startswith(name)):
            return True
    return False


def scope_of(repository: str, branch: str) -> dict[str, str]:
    """Return the scope of a policy for a branch, or for all that begin alike (`release/*`)."""
    if branch.endswith("*"):
        name = branch.rstrip("*").rstrip("/")
        return {"repositoryId": repository, "refName": f"{HEADS}{name}", "matchKind": "Prefix"}
    return {"repositoryId": repository, "refName": f"{HEADS}{branch}", "matchKind": "Exact"}


def page_of(url: str, repository: str) -> str:
    """Return the address of the repository's page."""
    *above, name = (quote(part, safe="") for part in repository.split("/"))
    return "/".join([url, *above, "_git", name])
