"""What GitHub's documents mean, as values of the port. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitops.adapters.forges.transport.answers import plain
from gitops.ports import CheckState, Protection, PullRequest

GithubObject = Mapping[str, Any]

_STATES: Mapping[str, CheckState] = {
    "pending": "pending",
    "success": "success",
    "error": "failure",
    "failure": "failure",
}
_LAST_PUSH = "require_last_push_approval"
_FINE = ("success", "neutral", "skipped")
_WRITERS = ("admin", "maintain", "write")
_INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")


def shown(pull: GithubObject, messages: tuple[str, ...] = ()) -> PullRequest:
    """Return a pull request as the port has it; a list gives fewer fields, which are enough."""
    merged = pull.get("merged_at") is not None
    return PullRequest(
        number=pull["number"],
        url=pull["html_url"],
        branch=pull["head"]["ref"],
        base=pull["base"]["ref"],
        head=pull["head"]["sha"],
        state="merged" if merged else "closed" if pull["state"] == "closed" else "open",
        title=pull["title"],
        body=plain(pull.get("body")),
        author=login(pull.get("user")),
        draft=bool(pull.get("draft")),
        # Before a merge it names a trial of one.
        merged_as=pull.get("merge_commit_sha") if merged else None,
        messages=messages,
    )


def login(user: GithubObject | None) -> str:
    """Return a login name; accounts that are gone have none."""
    return str(user["login"]) if user else ""


def is_of(pull: GithubObject, branch: str, base: str) -> bool:
    """Is it of our branch, and not of a fork's with the same name?"""
    same = (pull["head"]["ref"], pull["base"]["ref"]) == (branch, base)
    head, own = pull["head"].get("repo"), pull["base"].get("repo")
    return same and bool(head) and bool(own) and head["id"] == own["id"]


def approvals(pull: GithubObject, reviews: Iterable[GithubObject]) -> list[GithubObject]:
    """Return the reviews that approve the present head, one for each person, oldest first."""
    newest: dict[str, GithubObject] = {}
    for review in reviews:
        who = login(review.get("user"))
        if who and review["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            newest.pop(who, None)
            newest[who] = review
    author, head = login(pull.get("user")), pull["head"]["sha"]
    return [
        review
        for who, review in newest.items()
        if review["state"] == "APPROVED" and review["commit_id"] == head and who != author
    ]


def reasons(pull: GithubObject) -> tuple[str, ...]:
    """Return what keeps an open pull request from being merged, beside what is counted."""
    said = {
        "blocked": "a rule of the branch blocks the merge",
        "dirty": f"it conflicts with {pull['base']['ref']}",
        "behind": f"it must be brought up to date with {pull['base']['ref']} first",
        "draft": "it is a draft",
    }
    word = said.get(str(pull.get("mergeable_state")))
    return (word,) if word and pull["state"] == "open" else ()


def counts(permission: GithubObject | None, review: GithubObject) -> bool:
    """Does GitHub count this person's approval? Who may write counts; None: it does not tell."""
    if permission is not None:
        return permission.get("permission") in _WRITERS or permission.get("role_name") in _WRITERS
    return review.get("author_association") in _INSIDERS


def states(statuses: Iterable[GithubObject], runs: Iterable[GithubObject]) -> dict[str, CheckState]:
    """Return name -> state of statuses and of checks; the newest of a name counts."""
    found: dict[str, CheckState] = {}
    for run in sorted(runs, key=lambda one: int(one["id"])):
        done = run["status"] == "completed"
        fine = run.get("conclusion") in _FINE
        found[run["name"]] = "pending" if not done else "success" if fine else "failure"
    for status in statuses:
        found[status["context"]] = _STATES.get(status["state"], "pending")
    return found


def rule_of(
    rules: Sequence[GithubObject], branch: GithubObject | None, classic: GithubObject | None
) -> Protection:
    """Return the rules of a branch from what a caller may read.

    Args:
        rules: of rulesets.
        branch: what everybody reads; None: there is no such branch yet.
        classic: the older kind of protection; None: there is none, or it is not told.
    """
    by_type: dict[str, list[GithubObject]] = {}
    for rule in rules:
        by_type.setdefault(rule["type"], []).append(rule.get("parameters") or {})
    pulls = by_type.get("pull_request", [])
    names = [
        one["context"]
        for each in by_type.get("required_status_checks", ())
        for one in each.get("required_status_checks", ())
    ]
    wanted = [int(each.get("required_approving_review_count", 0)) for each in pulls]
    last = [each[_LAST_PUSH] for each in pulls if _LAST_PUSH in each]
    public = (branch or {}).get("protection") or {}
    is_classic = classic is not None or bool(public.get("enabled"))
    names += (public.get("required_status_checks") or {}).get("contexts") or []
    reviews: GithubObject = {}
    if classic is not None:
        names += (classic.get("required_status_checks") or {}).get("contexts") or []
        reviews = classic.get("required_pull_request_reviews") or {}
        wanted.append(int(reviews.get("required_approving_review_count") or 0))
        last += [reviews[_LAST_PUSH]] if _LAST_PUSH in reviews else []
    barred = bool({"pull_request", "required_status_checks", "update"} & by_type.keys())
    if not (barred or is_classic):
        return Protection(protected=False, approvals=0, checks=(), pushers=("*",))
    untold = is_classic and classic is None
    return Protection(
        protected=True,
        approvals=None if untold and not any(wanted) else max(wanted, default=0),
        checks=tuple(dict.fromkeys(names)),
        pushers=None if barred or classic is None else _pushers(classic, bool(reviews)),
        last_push=any(last) if last else None,
    )


def _pushers(classic: GithubObject, asks_reviews: bool) -> tuple[str, ...]:
    named = classic.get("restrictions")
    if named is None:
        return () if asks_reviews else ("*",)
    users = [login(one) for one in named.get("users", ())]
    teams = [f"team:{one['slug']}" for one in named.get("teams", ())]
    apps = [f"app:{one['slug']}" for one in named.get("apps", ())]
    return (*users, *teams, *apps)
