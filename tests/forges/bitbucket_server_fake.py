"""Bitbucket Data Center's interface over a repository of our own, as its description has it.

What it says of itself was read there (developer.atlassian.com/server/bitbucket/rest), not measured:
a version that every change moves, commits that reviewers looked at, vetoes, pages by `start`.
"""

from __future__ import annotations

from typing import Any

from forges.forge_server import ForgeServer
from forges.json_server import Call, Reply, Stop
from forges.state import ForgeState, Pull, Review

_STATES = {"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}
_METHODS = {"no-ff": "merge", "squash": "squash", "rebase-ff-only": "rebase"}


class BitbucketServerFake(ForgeServer):
    """Bitbucket Data Center for one repository.

    Attributes:
        restrictions: of branches.
        settings: of pull requests into any branch.
    """

    def __init__(self, state: ForgeState, project: str, slug: str) -> None:
        super().__init__(state)
        self.restrictions: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.edits: dict[int, int] = {}
        routes = {
            "GET /pull-requests": self._list,
            "POST /pull-requests": self._open,
            "GET /pull-requests/{}": self._get,
            "PUT /pull-requests/{}": self._edit,
            "POST /pull-requests/{}/decline": self._decline,
            "GET /pull-requests/{}/merge": self._test,
            "POST /pull-requests/{}/merge": self._merge,
            "POST /pull-requests/{}/participants": self._ask,
            "PUT /pull-requests/{}/participants/{}": self._say,
            "POST /pull-requests/{}/comments": self._comment,
            "GET /pull-requests/{}/activities": self._activities,
            "GET /pull-requests/{}/commits": self._commits,
            "GET /commits/{}/pull-requests": self._pulls_of,
            "GET /settings/pull-requests": self._settings,
            "POST /settings/pull-requests": self._set,
        }
        place = f"projects/{project}/repos/{slug}"
        for where, handler in routes.items():
            verb, path = where.split(" ")
            self.route(verb, f"/rest/api/1.0/{place}{path}", self._known(handler))
        builds = "/rest/build-status/1.0/commits/{}"
        self.route("GET", builds, self._known(self._statuses))
        self.route("POST", builds, self._known(self._report))
        rules = f"/rest/branch-permissions/2.0/{place}/restrictions"
        self.route("GET", rules, self._known(self._restricted))
        self.route("POST", rules, self._known(self._restrict))

    def _stranger(self) -> Reply:
        return _error(401, "You are not permitted to access this resource")

    def _may(self, who: str, *levels: str) -> None:
        if self.state.people[who] not in levels:
            words = "You are not permitted to access this resource"
            raise Stop(403, _error(403, words).body)

    def _pull(self, number: str) -> Pull:
        pull = self.state.pulls.get(int(number))
        if pull is None:
            raise Stop(404, _error(404, f"Pull request {number} does not exist.").body)
        return self.state.look(pull)

    def _version(self, pull: Pull) -> int:
        """Every change of the document and of the branch is one."""
        return self.edits.get(pull.number, 0) + len(pull.versions)

    def _check_version(self, call: Call, pull: Pull) -> None:
        said = call.query.get("version") or (call.body or {}).get("version")
        if said is None or int(said) != self._version(pull):
            words = "You are attempting to modify a pull request based on out-of-date information."
            raise Stop(409, _error(409, words).body)

    def _shown(self, call: Call, pull: Pull) -> dict[str, Any]:
        def ref(name: str, commit: str) -> dict[str, Any]:
            shown = {"id": f"refs/heads/{name}", "displayId": name, "latestCommit": commit}
            return {**shown, "repository": {"id": 7, "slug": "manifests"}}

        newest = {one.who: one for one in pull.reviews}
        people = dict.fromkeys([*pull.reviewers, *newest])
        reviewers = []
        for name in people:
            given = newest.get(name)
            shown = {"user": {"name": name}, "role": "REVIEWER", "status": "UNAPPROVED"}
            if given is not None:
                shown |= {"status": given.state, "lastReviewedCommit": given.commit}
            reviewers.append(shown)
        merged = {"mergeCommit": {"id": pull.merged_as}} if pull.merged_as else {}
        return {
            "id": pull.number,
            "version": self._version(pull),
            "title": pull.title,
            "description": pull.body,
            "state": _STATES[pull.state],
            "draft": pull.draft,
            "author": {"user": {"name": pull.author}},
            "fromRef": ref(pull.branch, pull.head),
            "toRef": ref(pull.base, self.state.repo.head(pull.base) or ""),
            "reviewers": reviewers,
            "participants": [],
            "properties": merged,
            "links": {"self": [{"href": f"{call.base}/pull-requests/{pull.number}"}]},
        }

    def _list(self, call: Call, who: str) -> Reply:
        pulls = [self.state.look(pull) for pull in self.state.pulls.values()]
        found = [
            self._shown(call, one)
            for one in reversed(pulls)
            if call.query["at"] == f"refs/heads/{one.branch}"
            and call.query["state"] in ("ALL", _STATES[one.state])
        ]
        return _page(call, found)

    def _open(self, call: Call, who: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        branch = said["fromRef"]["id"].removeprefix("refs/heads/")
        base = said["toRef"]["id"].removeprefix("refs/heads/")
        for name in (branch, base):
            if self.state.repo.head(name) is None:
                return _error(404, f"Commit 'refs/heads/{name}' does not exist.")
        present = self.state.open_ones(branch, base)
        if present:
            return _error(409, "Only one pull request may be open: there is one already")
        draft = bool(said.get("draft"))
        pull = self.state.open(branch, base, said["title"], said["description"], who, draft)
        return Reply(201, self._shown(call, pull))

    def _get(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._shown(call, self._pull(number)))

    def _edit(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull, said = self._pull(number), call.body
        self._check_version(call, pull)
        pull.title = said.get("title", pull.title)
        pull.body = said.get("description", pull.body)
        pull.draft = said.get("draft", pull.draft)
        pull.reviewers = [one["user"]["name"] for one in said.get("reviewers", ())]
        self.edits[pull.number] = self.edits.get(pull.number, 0) + 1
        return Reply(200, self._shown(call, pull))

    def _decline(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        self._check_version(call, pull)
        pull.state = "closed"
        return Reply(200, self._shown(call, pull))

    def _vetoes(self, pull: Pull) -> list[dict[str, str]]:
        wanted = self.settings.get("requiredApprovers") or {}
        builds = self.settings.get("requiredSuccessfulBuilds") or {}
        approvals = [one for one in self._approved(pull) if one.commit == pull.head]
        states = [one.state for one in self.state.newest(pull.head).values()]
        told = []
        if len(approvals) < wanted.get("count", 0):
            told.append({"summaryMessage": "Not all required approvers have approved"})
        if states.count("SUCCESSFUL") < builds.get("count", 0):
            told.append({"summaryMessage": "Not all required builds are successful yet"})
        return told

    def _approved(self, pull: Pull) -> list[Review]:
        return [one for one in pull.reviews if one.state == "APPROVED"]

    def _merges(self, pull: Pull) -> bool:
        pull.unchecked = 0
        return pull.state == "open" and bool(self.state.merges(pull))

    def _test(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        clean, vetoes = self._merges(pull), self._vetoes(pull)
        shown = {"canMerge": clean and not vetoes, "conflicted": not clean, "vetoes": vetoes}
        return Reply(200, shown)

    def _merge(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull = self._pull(number)
        if pull.state != "open":
            return _error(409, "This pull request is not open.")
        self._check_version(call, pull)
        if not self._merges(pull):
            return _error(409, "The pull request has conflicts and cannot be merged.")
        vetoes = self._vetoes(pull)
        if vetoes:
            words = "The request to merge was vetoed."
            return Reply(409, {"errors": [{"message": words, "vetoes": vetoes}]})
        method = _METHODS[call.body["strategyId"]]
        self.state.merge(pull, method, call.body["message"], who)
        return Reply(200, self._shown(call, pull))

    def _ask(self, call: Call, who: str, number: str) -> Reply:
        pull, name = self._pull(number), call.body["user"]["name"]
        if name not in self.state.people:
            return _error(404, f"{name} does not exist.")
        if name == pull.author:
            return _error(409, f"{name} is the author of the pull request and cannot review it.")
        pull.reviewers.append(name)
        return Reply(200, {"user": {"name": name}})

    def _say(self, call: Call, who: str, number: str, name: str) -> Reply:
        pull = self._pull(number)
        said = Review(self.state.number(), who, call.body["status"], pull.head, self.state.now())
        pull.reviews.append(said)
        return Reply(200, call.body)

    def _comment(self, call: Call, who: str, number: str) -> Reply:
        self._pull(number).comments.append((who, call.body["text"]))
        return Reply(201, call.body)

    def _activities(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        told: list[dict[str, Any]] = [
            {"action": "COMMENTED", "comment": {"text": text}, "user": {"name": name}}
            for name, text in pull.comments
        ]
        for who_pushed, before, after in self.state.pushes.get(pull.branch, ()):
            told.append(
                {
                    "action": "RESCOPED",
                    "user": {"name": who_pushed},
                    "previousFromHash": before,
                    "fromHash": after,
                }
            )
        return _page(call, told)

    def _commits(self, call: Call, who: str, number: str) -> Reply:
        found = [
            {"id": commit, "author": {"name": name}, "committer": {"name": name}}
            for commit, name in self.state.written(self._pull(number))
        ]
        return _page(call, found)

    def _pulls_of(self, call: Call, who: str, commit: str) -> Reply:
        pulls = [self.state.look(one) for one in self.state.pulls.values()]
        found = [
            self._shown(call, one)
            for one in pulls
            if commit in (self.state.brought(one) if one.state == "merged" else [one.head])
        ]
        return _page(call, found)

    def _statuses(self, call: Call, who: str, commit: str) -> Reply:
        newest = self.state.newest(commit).values()
        return _page(
            call, [{"key": one.name[:40], "name": one.name, "state": one.state} for one in newest]
        )

    def _report(self, call: Call, who: str, commit: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        text = said.get("description", "")
        self.state.report(commit, said["name"], said["state"], text, said["url"], who)
        return Reply(204)

    def _settings(self, call: Call, who: str) -> Reply:
        return Reply(200, self.settings)

    def _set(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        self.settings |= call.body
        return Reply(200, self.settings)

    def _restricted(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        return _page(call, self.restrictions)

    def _restrict(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        self.restrictions.append(call.body)
        return Reply(200, call.body)


def _page(call: Call, items: list[Any]) -> Reply:
    """One page of a list."""
    start, size = int(call.query.get("start", "0")), int(call.query.get("limit", "25"))
    after = start + size
    last = after >= len(items)
    body: dict[str, Any] = {"values": items[start:after], "isLastPage": last}
    if not last:
        body["nextPageStart"] = after
    return Reply(200, body)


def _error(status: int, words: str) -> Reply:
    return Reply(status, {"errors": [{"context": None, "message": words}]})
