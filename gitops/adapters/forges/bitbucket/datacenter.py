"""`ports.GatedForge` for Bitbucket Data Center (a server of one's own)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from gitops.adapters.forges.bitbucket.answers import (
    BUILDS,
    build_state,
    ended,
    matches,
    shown_by_server,
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
    "merge": "no-ff",
    "squash": "squash",
    "rebase": "rebase-ff-only",
}
_PAGE = 100
_PAGES = 20
_RESTRICTIONS = ("read-only", "pull-request-only")


class BitbucketDataCenter(ForgeDialect):
    """`ports.GatedForge` for a repository on Bitbucket Data Center."""

    refusals = (400, 403, 409)
    lets_twins = False

    def __init__(self, calls: Calls, api: RestApi) -> None:
        super().__init__(calls)
        self._api = api
        self._rest = calls.address.api_url
        self._project, self._slug = calls.address.repository.split("/")

    def _shown(self, pull: Json) -> PullRequest:
        return shown_by_server(pull)

    def _number(self, pull: Json) -> int:
        return int(pull["id"])

    def _pull(self, number: int) -> Json:
        return self._api.get("/pull-requests/{}", number)

    def _open_ones(self, branch: str, base: str) -> list[Json]:
        return sorted(self._listed("OPEN", branch, base), key=self._number)

    def _newest_ended(self, branch: str, base: str) -> Json | None:
        every = self._listed("ALL", branch, base)
        return next((pull for pull in every if pull["state"] != "OPEN"), None)

    def _listed(self, state: str, branch: str, base: str) -> Iterator[Json]:
        """Yield the pull requests of the pair, newest first; none of a fork's."""
        query = {"at": f"refs/heads/{branch}", "direction": "OUTGOING", "order": "NEWEST"}
        for pull in self._pages("/pull-requests", state=state, **query):
            source, target = pull["fromRef"], pull["toRef"]
            same = (source["displayId"], target["displayId"]) == (branch, base)
            if same and source["repository"]["id"] == target["repository"]["id"]:
                yield pull

    def _create(self, branch: str, base: str, text: PullText) -> Json:
        place = {"slug": self._slug, "project": {"key": self._project}}
        return self._api.send(
            "POST",
            "/pull-requests",
            body={
                "title": text.title,
                "description": text.body,
                "draft": text.draft,
                "fromRef": {"id": f"refs/heads/{branch}", "repository": place},
                "toRef": {"id": f"refs/heads/{base}", "repository": place},
            },
        )

    def _exists(self, error: ForgeResponse) -> bool:
        return error.status == 409 and "already" in error.words

    def _update(self, pull: Json, text: PullText, *, is_opening: bool = False) -> PullRequest:
        before = shown_by_server(pull)
        messages = [
            f"label {one} could not be put on it: Bitbucket has none" for one in text.labels
        ]
        if (before.title, before.body) != (text.title, plain(text.body)):
            pull = self._change(pull, title=text.title, description=text.body)
        present = {str(one["user"]["name"]) for one in pull.get("reviewers") or ()}
        for name in text.reviewers:
            if name in present:
                continue
            if name.startswith("team:"):
                messages.append(f"{name} could not be asked for a review: Bitbucket asks people")
                continue
            messages += self._calls.courtesy(
                f"{name} could not be asked for a review",
                partial(
                    self._api.send,
                    "POST",
                    "/pull-requests/{}/participants",
                    self._number(pull),
                    body={"user": {"name": name}, "role": "REVIEWER"},
                ),
            )
        return replace(shown_by_server(pull), messages=tuple(messages))

    def _change(self, pull: Json, **fields: str) -> Json:
        """Replace what it says; its reviewers are part of the document."""
        reviewers = [{"user": {"name": one["user"]["name"]}} for one in pull.get("reviewers") or ()]
        body = {"version": pull["version"], "reviewers": reviewers, **fields}
        return self._api.send("PUT", "/pull-requests/{}", self._number(pull), body=body)

    def _close(self, number: int) -> None:
        version = self._pull(number)["version"]
        self._api.send(
            "POST", "/pull-requests/{}/decline", number, query={"version": version}, body={}
        )

    def _comment(self, number: int, text: str) -> None:
        self._api.send("POST", "/pull-requests/{}/comments", number, body={"text": text})

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        pull = self._pull(number)
        if shown_by_server(pull).head != head:
            raise ForgeResponse(409, f"its head is {shown_by_server(pull).head}")
        if pull.get("draft"):
            raise ForgeResponse(409, "it is a draft")
        body = {"message": f"{title}\n\n{message}", "strategyId": _METHODS[method]}
        # The version is the one with that head: whatever moves it moves the version.
        merged = self._api.send(
            "POST",
            "/pull-requests/{}/merge",
            number,
            query={"version": pull["version"]},
            body={**body, "autoSubject": False, "version": pull["version"]},
        )
        return shown_by_server(merged).merged_as or shown_by_server(self._pull(number)).merged_as

    def _in_the_way(self, pull: Json, status: int, words: str) -> NotMerged | None:
        if status == 403:
            raise self._calls.denied(words)
        test = self._test(pull)
        if test.get("conflicted"):
            return NotMerged("conflict", words)
        vetoes = _vetoes(test)
        if test.get("canMerge") and "out of date" in words.lower():
            return None
        return NotMerged("refused", "; ".join(vetoes) or words)

    def _readiness(self, pull: Json) -> Readiness:
        shown = shown_by_server(pull)
        test = self._test(pull) if shown.state == "open" else {}
        settings = self._settings()
        checks = self._statuses(shown.head)
        builds = _count(settings, "requiredSuccessfulBuilds")
        if builds:
            checks[BUILDS] = build_state(checks, builds)
        return Readiness(
            mergeable=shown.state == "open" and not shown.draft and not test.get("conflicted"),
            approvals=self._approvers(pull),
            approvals_wanted=_count(settings, "requiredApprovers"),
            checks=checks,
            checks_wanted=(BUILDS,) if builds else (),
            reasons=tuple(_vetoes(test)),
        )

    def _test(self, pull: Json) -> Json:
        return self._api.get("/pull-requests/{}/merge", self._number(pull))

    def _settings(self) -> Json:
        return self._api.find("/settings/pull-requests", hidden=(401, 403)) or {}

    def _makers(self, pull: Json) -> Iterator[Contribution]:
        number = self._number(pull)
        for one in self._pages("/pull-requests/{}/commits", number):
            for role in ("author", "committer"):
                who = (one.get(role) or {}).get("name")
                if who:
                    yield Contribution(str(who), str(one["id"]))
        for one in self._pages("/pull-requests/{}/activities", number):
            if one.get("action") == "RESCOPED" and (one.get("user") or {}).get("name"):
                before = str(one.get("previousFromHash") or "") or None
                yield Contribution(str(one["user"]["name"]), str(one["fromHash"]), before)

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        url = f"{self._rest}/build-status/1.0/commits/{commit}"
        found: dict[str, CheckState] = {}
        for one in self._items(self._api.outside(url, limit=_PAGE, orderBy="NEWEST")):
            found.setdefault(str(one.get("name") or one["key"]), ended(one["state"]))
        return found

    def _pulls_of(self, commit: str) -> Iterable[Json]:
        return self._pages("/commits/{}/pull-requests", commit)

    def _approvers(self, pull: Json) -> tuple[str, ...]:
        head = shown_by_server(pull).head
        author = pull["author"]["user"]["name"]
        people = [*(pull.get("reviewers") or ()), *(pull.get("participants") or ())]
        given = (
            str(one["user"]["name"])
            for one in people
            if one.get("status") == "APPROVED" and one.get("lastReviewedCommit") == head
        )
        return tuple(dict.fromkeys(name for name in given if name != author))

    def _protection(self, branch: str) -> Protection:
        try:
            rules = [rule for rule in self._restrictions() if _is_for(rule, branch)]
        except ForgeResponse as error:
            if error.status not in (401, 403, 404):
                raise
            return Protection(protected=None)
        settings = self._settings()
        keeping = [rule for rule in rules if rule["type"] in _RESTRICTIONS]
        pushers = tuple(str(one["name"]) for rule in keeping for one in rule.get("users") or ())
        return Protection(
            protected=bool(keeping),
            approvals=_count(settings, "requiredApprovers"),
            checks=(BUILDS,) if _count(settings, "requiredSuccessfulBuilds") else (),
            pushers=pushers if keeping else ("*",),
        )

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        del last_push  # an approval is of the commit that was looked at, always
        kind = "PATTERN" if set(branch) & set("*?") else "BRANCH"
        name = branch if kind == "PATTERN" else f"refs/heads/{branch}"
        if not any(_is_for(rule, branch) for rule in self._restrictions()):
            rule = {
                "type": "pull-request-only",
                "matcher": {"id": name, "type": {"id": kind}, "active": True},
                "users": [],
                "groups": [],
                "accessKeys": [],
            }
            self._api.send_outside("POST", self._restrictions_url, rule)
        settings = self._settings()
        wanted: dict[str, Any] = {}
        for key, count in (
            ("requiredApprovers", approvals),
            ("requiredSuccessfulBuilds", len(checks[:1])),
        ):
            if count > _count(settings, key):
                wanted[key] = {"enable": True, "count": count}
        if wanted:  # these hold for the whole repository: Bitbucket has none for a branch
            self._api.send("POST", "/settings/pull-requests", body=wanted)

    def _restrict(self, pattern: str, without: Sequence[str]) -> str:
        raise Refused(
            f"gitops does not restrict who pushes to {pattern} on Bitbucket",
            hint="Repository settings, Branch permissions: `Prevent all changes` for that pattern, "
            "with an exception for those who propose",
        )

    @property
    def _restrictions_url(self) -> str:
        where = f"projects/{self._project}/repos/{self._slug}/restrictions"
        return f"{self._rest}/branch-permissions/2.0/{where}"

    def _restrictions(self) -> list[Json]:
        return list(self._items(self._api.outside(self._restrictions_url, limit=1000)))

    def _items(self, document: Json) -> Iterable[Json]:
        return document.get("values") or ()

    def _pages(self, path: str, *parts: object, **query: Any) -> Iterator[Json]:
        """Yield the items of a list, page by page, as far as the caller iterates."""
        start = 0
        for _ in range(_PAGES):
            found = self._api.get(path, *parts, **query, start=start, limit=_PAGE)
            yield from self._items(found)
            if found.get("isLastPage", True):
                return
            start = int(found["nextPageStart"])


def words_of_server(document: Json) -> str:
    """Return what a refusal says, with the vetoes of a merge."""
    told = []
    for error in document.get("errors") or ():
        if isinstance(error, dict):
            told += [str(error.get("message") or ""), *_vetoes(error)]
    return "; ".join(filter(None, told))


def _vetoes(document: Json) -> list[str]:
    vetoes = document.get("vetoes") or ()
    return [str(one.get("summaryMessage") or one.get("detailedMessage")) for one in vetoes]


def _count(settings: Json, key: str) -> int:
    """Return a number of the settings: some versions say it plainly, others with a switch."""
    value = settings.get(key)
    if isinstance(value, dict):
        return int(value.get("count") or 0) if value.get("enable") else 0
    return int(value or 0)


def _is_for(rule: Json, branch: str) -> bool:
    matcher = rule.get("matcher") or {}
    if matcher.get("active") is False:
        return False
    kind = (matcher.get("type") or {}).get("id")
    name = str(matcher.get("id", "")).removeprefix("refs/heads/")
    return name == branch or (kind == "PATTERN" and matches(name, branch))
