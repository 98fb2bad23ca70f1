"""`ports.GatedForge` for Azure DevOps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gitops.adapters.forges.azure.answers import (
    HEADS,
    REVIEWERS,
    STATUS,
    approved_head,
    page_of,
    scope_of,
    sent,
    shown,
    state_of,
    status_name,
    who,
)
from gitops.adapters.forges.azure.policies import (
    Policies,
    approvals_wanted,
    builds,
    checks_wanted,
    status_of,
    unmet,
)
from gitops.adapters.forges.dialect import ForgeDialect
from gitops.adapters.forges.transport.answers import plain
from gitops.adapters.forges.transport.calls import PATIENCE, Calls, ForgeResponse
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
    "merge": "noFastForward",
    "squash": "squash",
    "rebase": "rebase",
}
_PAGE = 100
_PAGES = 20
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNDECIDED = ("queued", "notSet")


class AzureDevOps(ForgeDialect):
    """`ports.GatedForge` for a repository on Azure DevOps."""

    refusals = (400, 403, 409)
    lets_twins = False

    def __init__(self, calls: Calls, api: RestApi, project: str) -> None:
        super().__init__(calls)
        self._api = api
        self._project = project
        self._page = page_of(calls.address.url, calls.address.repository)
        self._policies = Policies(api, project)

    def _shown(self, pull: Json) -> PullRequest:
        return shown(pull, self._page)

    def _number(self, pull: Json) -> int:
        return int(pull["pullRequestId"])

    def _pull(self, number: int) -> Json:
        return self._api.get("/pullrequests/{}", number)

    def _open_ones(self, branch: str, base: str) -> list[Json]:
        return sorted(self._listed("active", branch, base), key=self._number)

    def _newest_ended(self, branch: str, base: str) -> Json | None:
        every = self._listed("all", branch, base)
        return next((pull for pull in every if pull["status"] != "active"), None)

    def _listed(self, state: str, branch: str, base: str) -> Iterator[Json]:
        """Yield the pull requests of the pair, newest first; none of a fork's."""
        query = {
            "searchCriteria.sourceRefName": f"{HEADS}{branch}",
            "searchCriteria.targetRefName": f"{HEADS}{base}",
            "searchCriteria.status": state,
        }
        for pull in self._pages("/pullrequests", query):
            same = (pull["sourceRefName"], pull["targetRefName"]) == (
                f"{HEADS}{branch}",
                f"{HEADS}{base}",
            )
            if same and not pull.get("forkSource"):
                yield pull

    def _create(self, branch: str, base: str, text: PullText) -> Json:
        return self._api.send(
            "POST",
            "/pullrequests",
            body={
                "sourceRefName": f"{HEADS}{branch}",
                "targetRefName": f"{HEADS}{base}",
                "title": text.title,
                "description": sent(text.body),
                "isDraft": text.draft,
            },
        )

    def _exists(self, error: ForgeResponse) -> bool:
        return error.status == 409 and "TF401179" in error.words

    def _update(self, pull: Json, text: PullText, *, is_opening: bool = False) -> PullRequest:
        number, before = self._number(pull), self._shown(pull)
        change = {}
        if before.title != text.title:
            change["title"] = text.title
        if before.body != plain(sent(text.body)):
            change["description"] = sent(text.body)
        if change:
            pull = self._api.send("PATCH", "/pullrequests/{}", number, body=change)
        messages: list[str] = []
        labels = {str(one["name"]) for one in pull.get("labels") or () if one.get("active", True)}
        for name in text.labels:
            if name not in labels:
                messages += self._calls.courtesy(
                    f"label {name} could not be put on it",
                    partial(
                        self._api.send,
                        "POST",
                        "/pullRequests/{}/labels",
                        number,
                        body={"name": name},
                    ),
                )
        messages += self._ask_reviewers(pull, text.reviewers)
        return shown(pull, self._page, tuple(messages))

    def _ask_reviewers(self, pull: Json, names: Sequence[str]) -> Iterator[str]:
        present: set[str] = set()
        for one in pull.get("reviewers") or ():
            present |= {who(one), str(one.get("id"))}
        for name in names:
            if name in present:
                continue
            found = self._identity(name)
            if found is None or name == who(pull.get("createdBy")):
                why = "is its author" if found is not None else "is in no team of the project"
                yield f"{name} could not be asked for a review: {name} {why}"
                continue
            yield from self._calls.courtesy(
                f"{name} could not be asked for a review",
                partial(
                    self._api.send,
                    "PUT",
                    "/pullRequests/{}/reviewers/{}",
                    self._number(pull),
                    found,
                    body={"vote": 0, "isRequired": False},
                ),
            )

    def _identity(self, name: str) -> str | None:
        """Return the id of a person (`ana@example.com`) or of a team (`team:ops`); an id is one."""
        if _ID.fullmatch(name):
            return name
        organisation, _, project = self._project.rpartition("/")
        teams = f"{organisation}/_apis/projects/{project}/teams"
        for team in self._listed_outside(teams):
            if name.startswith("team:"):
                if team["name"] == name.removeprefix("team:"):
                    return str(team["id"])
                continue
            for member in self._listed_outside(f"{teams}/{team['id']}/members"):
                if who(member.get("identity")) == name:
                    return str(member["identity"]["id"])
        return None

    def _listed_outside(self, url: str) -> list[Json]:
        try:
            return list(self._api.outside(url, **{"$top": _PAGE}).get("value") or ())
        except ForgeResponse as error:
            if error.status not in (401, 403, 404):
                raise
            return []

    def _close(self, number: int) -> None:
        self._api.send("PATCH", "/pullrequests/{}", number, body={"status": "abandoned"})

    def _comment(self, number: int, text: str) -> None:
        comment = {"parentCommentId": 0, "content": text, "commentType": "text"}
        body = {"comments": [comment], "status": "closed"}  # nobody need resolve it
        self._api.send("POST", "/pullRequests/{}/threads", number, body=body)

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        body = {
            "status": "completed",
            "lastMergeSourceCommit": {"commitId": head},
            "completionOptions": {
                "mergeStrategy": _METHODS[method],
                "mergeCommitMessage": f"{title}\n\n{message}",
                "deleteSourceBranch": False,
                "bypassPolicy": False,
                "transitionWorkItems": False,
            },
        }
        pull = self._api.send("PATCH", "/pullrequests/{}", number, body=body)
        for _ in self._calls.poll(PATIENCE):
            merged = self._shown(pull).merged_as
            if merged is not None:
                return merged
            if pull["status"] != "active" or pull.get("mergeStatus") not in _UNDECIDED:
                words = pull.get("mergeFailureMessage") or f"it is {pull.get('mergeStatus')}"
                raise ForgeResponse(409, str(words))
            pull = self._pull(number)
        return None

    def _says_moved(self, error: ForgeResponse) -> bool:
        return "TF401192" in error.words  # the source was updated

    def _in_the_way(self, pull: Json, status: int, words: str) -> NotMerged | None:
        if pull.get("mergeStatus") in _UNDECIDED:
            return None
        if pull.get("mergeStatus") == "conflicts":
            return NotMerged("conflict", words)
        reasons = unmet(self._policies.evaluations(pull))
        if status == 403 and not reasons:
            raise self._calls.denied(words)
        return NotMerged("refused", "; ".join(reasons) or words)

    def _readiness(self, pull: Json) -> Readiness:
        pull = self._settled(pull, lambda pull: pull.get("mergeStatus") in _UNDECIDED)
        now = self._shown(pull)
        policies = self._policies.of(now.base)
        checks = self._statuses(now.head)
        evaluations = self._policies.evaluations(pull)
        for name, state in builds(evaluations):
            checks.setdefault(name, state)
        return Readiness(
            mergeable=now.state == "open"
            and not now.draft
            and pull.get("mergeStatus") == "succeeded",
            approvals=self._approvers(pull),
            approvals_wanted=None if policies is None else approvals_wanted(policies),
            checks=checks,
            checks_wanted=tuple(checks_wanted(policies or ())),
            reasons=tuple(unmet(evaluations)),
        )

    def _makers(self, pull: Json) -> Iterator[Contribution]:
        number = self._number(pull)
        for one in self._pages("/pullRequests/{}/commits", {}, number):
            for role in ("author", "committer"):
                person = one.get(role) or {}
                if person.get("email") or person.get("name"):
                    name = str(person.get("email") or person["name"])
                    yield Contribution(name, str(one["commitId"]))
        for one in self._iterations(number):
            pusher = (one.get("push") or {}).get("pushedBy") or one.get("author")
            head = (one.get("sourceRefCommit") or {}).get("commitId")
            if who(pusher) and head:
                yield Contribution(who(pusher), str(head))

    def _iterations(self, number: int) -> list[Json]:
        found = self._api.get("/pullRequests/{}/iterations", number)
        return sorted(found.get("value") or (), key=lambda one: int(one["id"]))

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        found: dict[str, CheckState] = {}
        for one in self._pages("/commits/{}/statuses", {"latestOnly": "true"}, commit):
            found[status_name(one["context"])] = state_of(one)
        return found

    def _pulls_of(self, commit: str) -> Iterable[Json]:
        body = {"queries": [{"type": "lastMergeCommit", "items": [commit]}]}
        found = self._api.question("/pullrequestquery", body=body)
        for result in found.get("results") or ():
            for pull in result.get(commit) or ():
                yield self._pull(self._number(pull))

    def _approvers(self, pull: Json) -> tuple[str, ...]:
        number = self._number(pull)
        iterations = self._iterations(number)
        threads: list[Json] = []
        if len(iterations) > 1:
            threads = self._api.get("/pullRequests/{}/threads", number).get("value") or []
        return approved_head(pull, threads, iterations, self._shown(pull).head)

    def _protection(self, branch: str) -> Protection:
        policies = self._policies.of(branch)
        if policies is None:
            return Protection(protected=None)
        reviewers = [one["settings"] for one in policies if one["type"]["id"] == REVIEWERS]
        return Protection(
            # A branch with any policy that blocks takes pull requests only.
            protected=bool(policies),
            approvals=approvals_wanted(policies),
            checks=tuple(checks_wanted(policies)),
            pushers=() if policies else ("*",),
            last_push=any(one.get("blockLastPusherVote") for one in reviewers),
        )

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        scope = [scope_of(self._policies.repository(), branch)]
        present = [one for one in self._policies.every() if one["settings"].get("scope") == scope]
        reviewers = next((one for one in present if one["type"]["id"] == REVIEWERS), None)
        before = dict((reviewers or {}).get("settings") or {})
        settings = {
            "creatorVoteCounts": False,
            "resetOnSourcePush": True,
            **before,
            "minimumApproverCount": max(approvals, int(before.get("minimumApproverCount") or 0), 1),
            "scope": scope,
        }
        if last_push:
            settings["blockLastPusherVote"] = True
        if settings != before:
            self._policies.set(REVIEWERS, settings, reviewers)
        names = {status_of(one) for one in present if one["type"]["id"] == STATUS}
        for name in checks:
            if name not in names:
                genre, _, rest = name.rpartition("/")
                wanted = {"statusName": rest, "statusGenre": genre, "scope": scope}
                self._policies.set(STATUS, wanted, None)

    def _restrict(self, pattern: str, without: Sequence[str]) -> str:
        raise Refused(
            f"gitops does not restrict who pushes to {pattern} on Azure DevOps",
            hint="Repos, Branches, Branch security of the folder: deny Contribute to those who do "
            "not propose",
        )

    def _pages(self, path: str, query: Mapping[str, Any], *parts: object) -> Iterator[Json]:
        """Yield the items of a list, page by page, as far as the caller iterates."""
        for page in range(_PAGES):
            asked = {**query, "$top": _PAGE, "$skip": page * _PAGE}
            found = self._api.get(path, *parts, **asked).get("value") or []
            yield from found
            if len(found) < _PAGE:
                return
