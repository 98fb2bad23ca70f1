"""`ports.GatedForge` for Bitbucket Cloud (bitbucket.org)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gitops.adapters.forges.bitbucket.answers import (
    BUILDS,
    approved_head,
    build_state,
    ended,
    gate_of,
    login,
    matches,
    quoted,
    shown_by_cloud,
)
from gitops.adapters.forges.dialect import ForgeDialect
from gitops.adapters.forges.transport.answers import plain
from gitops.adapters.forges.transport.calls import Calls, ForgeResponse
from gitops.adapters.forges.transport.rest import Json, RestApi
from gitops.errors import Refused
from gitops.ports import (
    CheckState,
    Contribution,
    MergeMethod,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
)

_METHODS: Mapping[MergeMethod, str] = {
    "merge": "merge_commit",
    "squash": "squash",
    "rebase": "rebase_fast_forward",
}
_CONFLICTS = ("conflict", "local deleted", "remote deleted")
_PAGE = 50
_PAGES = 20
_ACCOUNT = re.compile(r"\{[0-9a-f-]{36}\}|[0-9a-f]{24}|\d+:[0-9a-f-]{36}")


class BitbucketCloud(ForgeDialect):
    """`ports.GatedForge` for a repository on Bitbucket Cloud."""

    refusals = (400, 403, 409)

    def __init__(self, calls: Calls, api: RestApi, api_url: str) -> None:
        super().__init__(calls)
        self._api = api
        self._api_url = api_url
        self._commits: dict[str, Json] = {}

    def _shown(self, pull: Json) -> PullRequest:
        merged = (pull.get("merge_commit") or {}).get("hash")
        return shown_by_cloud(
            pull,
            head=self._whole(pull["source"]["commit"]["hash"]),
            merged_as=self._whole(merged) if merged else None,
        )

    def _number(self, pull: Json) -> int:
        return int(pull["id"])

    def _pull(self, number: int) -> Json:
        return self._api.get("/pullrequests/{}", number)

    def _open_ones(self, branch: str, base: str) -> list[Json]:
        return sorted(self._listed(branch, base, 'state = "OPEN"'), key=self._number)

    def _newest_ended(self, branch: str, base: str) -> Json | None:
        return next(self._listed(branch, base, 'state != "OPEN"'), None)

    def _listed(self, branch: str, base: str, state: str) -> Iterator[Json]:
        """Yield the pull requests of the pair, newest first; none of a fork's."""
        pair = f"source.branch.name = {quoted(branch)} AND destination.branch.name = {quoted(base)}"
        states = {"state": ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]}
        for pull in self._pages(
            "/pullrequests", q=f"{pair} AND {state}", sort="-created_on", **states
        ):
            source = (pull["source"].get("repository") or {}).get("full_name")
            same = (pull["source"]["branch"]["name"], pull["destination"]["branch"]["name"])
            if source == self._calls.address.repository and same == (branch, base):
                yield pull

    def _create(self, branch: str, base: str, text: PullText) -> Json:
        return self._api.send(
            "POST",
            "/pullrequests",
            body={
                "title": text.title,
                "description": text.body,
                "source": {"branch": {"name": branch}},
                "destination": {"branch": {"name": base}},
                "draft": text.draft,
                "close_source_branch": False,
            },
        )

    def _exists(self, error: ForgeResponse) -> bool:
        return error.status == 409 or "already" in error.words

    def _update(self, pull: Json, text: PullText, *, is_opening: bool = False) -> PullRequest:
        before = self._shown(pull)
        messages = [
            f"label {one} could not be put on it: Bitbucket has none" for one in text.labels
        ]
        asked, problems = self._reviewers(pull, text.reviewers, before.author)
        messages += problems
        present = [{"uuid": one["uuid"]} for one in pull.get("reviewers") or ()]
        if asked or (before.title, before.body) != (text.title, plain(text.body)):
            body = {
                "title": text.title,
                "description": text.body,
                "reviewers": [*present, *asked],
            }
            pull = self._api.send("PUT", "/pullrequests/{}", self._number(pull), body=body)
        shown = self._shown(pull)
        return replace(shown, messages=tuple(messages))

    def _reviewers(
        self, pull: Json, names: Sequence[str], author: str
    ) -> tuple[list[dict[str, str]], list[str]]:
        """Return who is to be asked beside those who are, and why others cannot be."""
        present = set()
        for one in pull.get("reviewers") or ():
            present |= {login(one), one.get("uuid"), one.get("account_id")}
        asked: list[dict[str, str]] = []
        problems: list[str] = []
        for name in names:
            if name in present:
                continue
            if _ACCOUNT.fullmatch(name):
                asked.append({"uuid" if name.startswith("{") else "account_id": name})
                continue
            user = None if name.startswith("team:") else self._member(name)
            if user is None or login(user) == author:
                why = "is its author" if user is not None else "is no member of the workspace"
                problems.append(f"{name} could not be asked for a review: {name} {why}")
                continue
            asked.append({"uuid": str(user["uuid"])})
        return asked, problems

    def _member(self, name: str) -> Json | None:
        """Return the member of the workspace with a nickname, None where there is not just one."""
        workspace = self._calls.address.repository.partition("/")[0]
        url = f"{self._api_url}/workspaces/{workspace}/members"
        try:
            found = self._api.outside(url, q=f"user.nickname = {quoted(name)}", pagelen=_PAGE)
        except ForgeResponse as error:
            if error.status not in (400, 403, 404):
                raise
            return None
        users = [one["user"] for one in found.get("values") or () if login(one["user"]) == name]
        return users[0] if len(users) == 1 else None

    def _close(self, number: int) -> None:
        self._api.send("POST", "/pullrequests/{}/decline", number, body={})

    def _comment(self, number: int, text: str) -> None:
        self._api.send("POST", "/pullrequests/{}/comments", number, body={"content": {"raw": text}})

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        # There is no way to say which head is meant: it is looked at right before, and after.
        now = self._shown(self._pull(number))
        if now.head != head:
            raise ForgeResponse(409, f"its head is {now.head}")
        if now.draft:
            raise ForgeResponse(409, "it is a draft")
        body = {
            "type": "pullrequest",
            "message": f"{title}\n\n{message}",
            "merge_strategy": _METHODS[method],
            "close_source_branch": False,
        }
        pull = self._api.send("POST", "/pullrequests/{}/merge", number, body=body)
        if not isinstance(pull, dict) or pull.get("state") != "MERGED":
            return None
        landed = self._shown(pull)
        if landed.head != head:
            raise Refused(
                f"{self.describe()} merged {landed.head}, which was pushed in the very moment in "
                f"which {head[:7]} was to be merged",
                hint=f"look at {landed.url}, and roll back if it must not be there",
            )
        return landed.merged_as

    def _in_the_way(self, pull: Json, status: int, words: str) -> NotMerged | None:
        if status == 403:
            raise self._calls.denied(words)
        if "changed while" in words:
            return None
        if self._has_conflict(pull):
            return NotMerged("conflict", words)
        return NotMerged("refused", words)

    def _readiness(self, pull: Json) -> Readiness:
        shown = self._shown(pull)
        rules = self._rules(shown.base)
        checks = self._statuses(shown.head)
        builds = gate_of(rules, "require_passing_builds_to_merge") if rules is not None else None
        if builds:
            checks[BUILDS] = build_state(checks, builds)
        return Readiness(
            mergeable=shown.state == "open" and not shown.draft and not self._has_conflict(pull),
            approvals=self._approvers(pull),
            approvals_wanted=None
            if rules is None
            else gate_of(rules, "require_approvals_to_merge"),
            checks=checks,
            checks_wanted=(BUILDS,) if builds else (),
        )

    def _has_conflict(self, pull: Json) -> bool:
        files = self._pages("/pullrequests/{}/diffstat", self._number(pull))
        return any(word in str(one.get("status")) for one in files for word in _CONFLICTS)

    def _makers(self, pull: Json) -> Iterator[Contribution]:
        for one in self._pages("/pullrequests/{}/commits", self._number(pull)):
            author = one.get("author") or {}
            who = login(author.get("user")) or str(author.get("raw", "")).partition(" <")[0]
            if who:
                yield Contribution(who, str(one["hash"]))
        for one in self._activity(pull):
            update = one.get("update") or {}
            head = ((update.get("source") or {}).get("commit") or {}).get("hash")
            if head and login(update.get("author")):
                yield Contribution(login(update["author"]), self._whole(head))

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        found: dict[str, CheckState] = {}
        for one in self._pages("/commit/{}/statuses", commit, sort="-updated_on"):
            found.setdefault(str(one.get("name") or one["key"]), ended(one["state"]))
        return found

    def _pulls_of(self, commit: str) -> Iterable[Json]:
        merged = {"q": 'state = "MERGED"', "state": "MERGED", "sort": "-updated_on"}
        for pull in self._pages("/pullrequests", **merged):
            short = (pull.get("merge_commit") or {}).get("hash")
            if short and commit.startswith(short):
                return (pull,)
        return ()

    def _approvers(self, pull: Json) -> tuple[str, ...]:
        if pull.get("participants") is None:  # lists leave them out
            pull = self._pull(self._number(pull))
        return approved_head(pull, self._activity(pull))

    def _activity(self, pull: Json) -> Iterator[Json]:
        return self._pages("/pullrequests/{}/activity", self._number(pull))

    def _protection(self, branch: str) -> Protection:
        rules = self._rules(branch)
        if rules is None:
            return Protection(protected=None)
        builds = gate_of(rules, "require_passing_builds_to_merge")
        pushes = [rule for rule in rules if rule["kind"] == "push"]
        pushers = tuple(login(user) for rule in pushes for user in rule.get("users") or ())
        return Protection(
            protected=bool(rules),
            approvals=gate_of(rules, "require_approvals_to_merge"),
            checks=(BUILDS,) if builds else (),
            pushers=pushers if pushes else ("*",),
        )

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        every = list(self._pages("/branch-restrictions"))
        present = {rule["kind"]: rule for rule in every if rule.get("pattern") == branch}
        wanted: dict[str, int | None] = {"push": None}
        if approvals or "require_approvals_to_merge" in present:
            wanted["require_approvals_to_merge"] = approvals
        if checks:
            wanted["require_passing_builds_to_merge"] = 1
        if last_push:
            wanted["reset_pullrequest_approvals_on_change"] = None
        for kind, value in wanted.items():
            before = present.get(kind)
            rule: dict[str, Any] = {"kind": kind, "branch_match_kind": "glob", "pattern": branch}
            if value is not None:
                rule["value"] = max(value, int((before or {}).get("value") or 0))
            if before is None:
                self._api.send("POST", "/branch-restrictions", body=rule)
            elif value is not None and rule["value"] != before.get("value"):
                self._api.send("PUT", "/branch-restrictions/{}", before["id"], body=rule)

    def _restrict(self, pattern: str, without: Sequence[str]) -> str:
        raise Refused(
            f"gitops does not restrict who pushes to {pattern} on Bitbucket",
            hint="Repository settings, Branch restrictions: a rule for that pattern, with those "
            "who propose under `Write access`, and deleting allowed",
        )

    def _rules(self, branch: str) -> list[Json] | None:
        """Return the restrictions that are for a branch; None where they are not told."""
        try:
            every = list(self._pages("/branch-restrictions"))
        except ForgeResponse as error:
            if error.status not in (403, 404):
                raise
            return None
        return [
            rule
            for rule in every
            if rule.get("branch_match_kind", "glob") == "glob"
            and matches(str(rule.get("pattern", "")), branch)
        ]

    def _whole(self, commit: str) -> str:
        """Return all digits of a commit, of which Bitbucket tells 12."""
        if len(commit) >= 40:
            return commit
        if commit not in self._commits:
            self._commits[commit] = self._api.get("/commit/{}", commit)
        return str(self._commits[commit]["hash"])

    def _pages(self, path: str, *parts: object, **query: Any) -> Iterator[Json]:
        """Yield the items of a list, page by page, as far as the caller iterates."""
        found = self._api.get(path, *parts, **query, pagelen=_PAGE)
        for _ in range(_PAGES):
            yield from found.get("values") or ()
            after = str(found.get("next") or "")
            if not after.startswith(f"{self._api_url}/"):  # nor to another server
                return
            found = self._api.outside(after)


def words_of_cloud(document: Json) -> str:
    """Return what a refusal says, with what it says of each field."""
    error = document.get("error")
    if not isinstance(error, dict):
        return ""
    fields = error.get("fields")
    told = [
        f"{name}: {' '.join(map(str, words)) if isinstance(words, list) else words}"
        for name, words in (fields.items() if isinstance(fields, dict) else ())
    ]
    return "; ".join([str(error.get("message") or ""), *told]).strip("; ")
