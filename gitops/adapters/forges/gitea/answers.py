"""What Gitea's answers mean, as values of the port. Pure; objects are those of the library."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gitops.adapters.forges.transport.answers import branch_pattern, plain
from gitops.ports import CheckState, Protection, PullRequest

DRAFT = re.compile(r"^\s*(?:WIP:|\[WIP\])\s*", re.IGNORECASE)
STATES: Mapping[str, CheckState] = {
    "pending": "pending",
    "success": "success",
    "warning": "success",
    "skipped": "success",
    "error": "failure",
    "failure": "failure",
}


def shown(pull: Any, messages: tuple[str, ...] = (), *, head: str | None = None) -> PullRequest:
    """Return a pull request as the port has it; `head` where the answer's own is not its."""
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        branch=branch_of(pull),
        base=pull.base.ref,
        head=head or pull.head.sha,
        state="merged" if pull.merged else "closed" if pull.state == "closed" else "open",
        title=DRAFT.sub("", pull.title) if pull.draft else pull.title,
        body=plain(pull.body),
        author=pull.user.login if pull.user is not None else "",
        draft=bool(pull.draft),
        merged_as=pull.merge_commit_sha if pull.merged else None,
        messages=messages,
    )


def branch_of(pull: Any) -> str:
    """Return the branch of a pull request; `head.ref` is another name when the branch is gone."""
    return str(pull.head.label or "").rpartition(":")[2]


def is_of(pull: Any, branch: str, base: str) -> bool:
    """Is it of our branch, and not of a fork's with the same name?"""
    same = (branch_of(pull), pull.base.ref) == (branch, base)
    return same and pull.head.repo_id == pull.base.repo_id


def pushed(body: str | None) -> tuple[str, ...]:
    """Return the commits that a note of a push names; of a forced one the last is the new head."""
    try:
        told = json.loads(body or "")
    except (ValueError, RecursionError):
        return ()
    found = told.get("commit_ids") if isinstance(told, dict) else None
    return tuple(one for one in found or () if isinstance(one, str))


def spelled_out(wanted: Sequence[str], checks: Mapping[str, CheckState]) -> tuple[str, ...]:
    """Replace patterns (`ci/*`) by what was reported for them, if anything was."""
    names: list[str] = []
    for one in wanted:
        names += [name for name in checks if fnmatchcase(name, one)] or [one]
    return tuple(dict.fromkeys(names))


def approvals_of(branch: Any) -> int | None:
    """Return how many approvals a branch asks for; None when that is not told."""
    if branch is None:
        return None
    return int(branch.required_approvals or 0) if branch.protected else 0


def seen_from_outside(branch: Any) -> Protection:
    """Return what a caller sees who may not read the rules themselves."""
    if branch is None:
        return Protection(protected=None)
    if not branch.protected:
        return Protection(protected=False, approvals=0, checks=(), pushers=("*",))
    checks = branch.status_check_contexts if branch.enable_status_check else []
    return Protection(True, approvals_of(branch), tuple(checks or ()))


def rule_for(branch: str, rules: Sequence[Any]) -> Any:
    """Return the rule that counts: the one of that very name, else the first that matches."""
    for rule in rules:
        if rule.rule_name == branch:
            return rule
    ordered = sorted(rules, key=lambda rule: getattr(rule, "priority", 0) or 0)
    return next(
        (rule for rule in ordered if branch_pattern(rule.rule_name).fullmatch(branch)), None
    )


def protection(rule: Any) -> Protection:
    """Return a rule as the port has it; None: no rule is for the branch."""
    if rule is None:
        return Protection(protected=False, approvals=0, checks=(), pushers=("*",))
    pushers: tuple[str, ...] = ()
    if rule.enable_push:
        teams = (f"team:{name}" for name in rule.push_whitelist_teams or ())
        named = (*(rule.push_whitelist_usernames or ()), *teams)
        pushers = named if rule.enable_push_whitelist else ("*",)
    return Protection(
        protected=True,
        approvals=rule.required_approvals or 0,
        checks=tuple(rule.status_check_contexts or ()) if rule.enable_status_check else (),
        pushers=pushers,
    )
