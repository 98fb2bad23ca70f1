"""What GitLab's documents mean, as values of the port. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitops.adapters.forges.transport.answers import plain as as_sent
from gitops.core.text.wildcards import glob
from gitops.ports import CheckState, Protection, PullRequest

GitlabObject = Mapping[str, Any]

PIPELINE = "pipeline"
"""What the port calls GitLab's one check: that the pipeline of the head succeeded."""

DRAFT = re.compile(r"^\s*(?:Draft:|\[Draft\]|\(Draft\))\s*", re.IGNORECASE)
_COMMAND = re.compile(r"^(\s*)(\\*)/(?=\w)", re.MULTILINE)
_ESCAPED = re.compile(r"^(\s*)\\(\\*)/(?=\w)", re.MULTILINE)

UNDECIDED = ("unchecked", "checking", "preparing", "approvals_syncing")
CONFLICTS = ("conflict", "broken_status", "commits_status", "need_rebase")
_WORDS = {
    "ci_must_pass": "the pipeline must succeed",
    "ci_still_running": "the pipeline is still running",
    "discussions_not_resolved": "discussions must be resolved",
    "draft_status": "it is a draft",
    "not_approved": "it needs approvals",
    "not_open": "it is not open",
    "requested_changes": "a reviewer asked for changes",
    "conflict": "it conflicts with its target",
    "broken_status": "it conflicts with its target",
    "need_rebase": "it must be rebased onto its target",
    "commits_status": "its branch is gone, or has no commits of its own",
    "merge_request_blocked": "another merge request blocks it",
    "policies_denied": "a security policy denies it",
    "external_status_checks": "external status checks must pass",
    "status_checks_must_pass": "external status checks must pass",
    "locked_paths": "paths that it changes are locked",
    "title_regex": "its title does not match what the project asks for",
}


def shown(pull: GitlabObject, messages: tuple[str, ...] = ()) -> PullRequest:
    """Return a merge request as the port has it."""
    draft = bool(pull.get("draft", pull.get("work_in_progress")))
    state = pull["state"]
    return PullRequest(
        number=pull["iid"],
        url=pull["web_url"],
        branch=pull["source_branch"],
        base=pull["target_branch"],
        head=pull["sha"],
        state="merged" if state == "merged" else "closed" if state == "closed" else "open",
        title=DRAFT.sub("", pull["title"]) if draft else pull["title"],
        body=plain(pull.get("description")),
        author=(pull.get("author") or {}).get("username", ""),
        draft=draft,
        merged_as=landed(pull),
        messages=messages,
    )


def landed(pull: GitlabObject) -> str | None:
    """Return the commit that a merge put on the target; a fast-forward made none of its own."""
    if pull["state"] != "merged":
        return None
    for key in ("merge_commit_sha", "squash_commit_sha", "sha"):
        if pull.get(key):
            return str(pull[key])
    return None


def sent(text: str) -> str:
    """Return a text in which no line is a command to GitLab."""
    return _COMMAND.sub(r"\1\\\2/", text)


def plain(text: str | None) -> str:
    """Return a text as it was before `sent`, whatever line ends GitLab keeps."""
    return _ESCAPED.sub(r"\1\2/", as_sent(text))


def is_of(pull: GitlabObject, branch: str, base: str) -> bool:
    """Is it of our branch, and not of a fork's with the same name?"""
    same = (pull["source_branch"], pull["target_branch"]) == (branch, base)
    return same and pull["source_project_id"] == pull["target_project_id"]


def words_of(pull: GitlabObject) -> str:
    """Return why a merge request cannot be merged, as GitLab has it."""
    status = str(pull.get("detailed_merge_status", "not mergeable"))
    return _WORDS.get(status, status.replace("_", " "))


def state_of(status: GitlabObject) -> CheckState:
    """Return the state of a job, an external status or a pipeline."""
    said = status["status"]
    if said in ("success", "skipped"):
        return "success"
    if status.get("allow_failure") and said in ("failed", "canceled", "manual"):
        return "success"
    return "failure" if said in ("failed", "canceled") else "pending"


def users_called(users: Iterable[GitlabObject], name: str, email: str) -> list[str]:
    """Return the login names of those users that an author may be, by name or public address."""
    return [
        str(user["username"])
        for user in users
        if (name and name.lower() in (user.get("name", "").lower(), user["username"].lower()))
        or (email and email.lower() == (user.get("public_email") or "").lower())
    ]


def approved_by(
    pull: GitlabObject, approvals: GitlabObject, heads: Sequence[GitlabObject]
) -> tuple[str, ...]:
    """Return who approved the present head.

    Args:
        heads: the versions of the merge request, newest first; an approval that is older than the
            newest one was given to something else.
    """
    since = str(heads[0]["created_at"]) if len(heads) > 1 else ""
    author = (pull.get("author") or {}).get("username")
    names = []
    for one in approvals.get("approved_by") or ():
        name, time = one["user"]["username"], one.get("approved_at")
        # An older GitLab tells no time: only with a single version is it known what was approved.
        if name != author and (not since or (time is not None and _later(str(time), since))):
            names.append(name)
    return tuple(dict.fromkeys(names))


def _later(time: str, than: str) -> bool:
    from datetime import datetime

    return datetime.fromisoformat(time) >= datetime.fromisoformat(than)


def matching(rules: Iterable[GitlabObject], branch: str) -> GitlabObject | None:
    """Return the protection of a branch: the one of that very name, else the first that matches."""
    every = list(rules)
    for rule in every:
        if rule["name"] == branch:
            return rule
    return next((rule for rule in every if glob(rule["name"], branch)), None)


def rule_of(
    rule: GitlabObject | None,
    branch: str,
    project: GitlabObject,
    approval_rules: Sequence[GitlabObject] | None,
    resets: bool | None,
) -> Protection:
    """Return the rules of a branch.

    Args:
        rule: its protection, None without one.
        approval_rules: None where they are not told, or the edition has none.
        resets: a push drops approvals; None where that is not told.
    """
    approvals = None
    if approval_rules is not None:
        counted = [one for one in approval_rules if _is_for(one, branch, rule)]
        approvals = max((int(one["approvals_required"]) for one in counted), default=0)
    checks = (PIPELINE,) if project.get("only_allow_merge_if_pipeline_succeeds") else ()
    if rule is None:
        return Protection(False, approvals or 0, checks, ("*",), resets)
    levels = rule.get("push_access_levels") or ()
    pushers = tuple(
        str(one["access_level_description"])
        for one in levels
        if one.get("access_level") != 0 and one.get("access_level_description")
    )
    return Protection(True, approvals, checks, pushers, resets)


def _is_for(approval: GitlabObject, branch: str, rule: GitlabObject | None) -> bool:
    """Does an approval rule count for a branch? One without branches counts for all."""
    if approval.get("rule_type") == "report_approver":
        return False
    if approval.get("applies_to_all_protected_branches"):
        return rule is not None
    named = approval.get("protected_branches") or ()
    return not named or matching(named, branch) is not None
