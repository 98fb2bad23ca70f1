"""Bitbucket Cloud's interface over a repository of our own, as its published description has it.

What it says of itself was read there (developer.atlassian.com/cloud/bitbucket/rest), not measured:
commits with 12 digits in pull requests, approvals that stay, authors who may approve, `next` links.
"""

from __future__ import annotations

import re
from typing import Any

from forges.forge_server import ForgeServer
from forges.json_server import Call, Reply, Stop
from forges.state import ForgeState, Pull, Review, Status

_STATES = {"open": "OPEN", "merged": "MERGED", "closed": "DECLINED"}
_METHODS = {"merge_commit": "merge", "squash": "squash", "rebase_fast_forward": "rebase"}


class BitbucketCloudFake(ForgeServer):
    """Bitbucket Cloud for one repository.

    Attributes:
        restrictions: of branches.
    """

    def __init__(self, state: ForgeState, repository: str) -> None:
        super().__init__(state)
        self.repository = repository
        self.restrictions: list[dict[str, Any]] = []
        routes = {
            "GET /pullrequests": self._list,
            "POST /pullrequests": self._open,
            "GET /pullrequests/{}": self._get,
            "PUT /pullrequests/{}": self._edit,
            "POST /pullrequests/{}/decline": self._decline,
            "POST /pullrequests/{}/merge": self._merge,
            "POST /pullrequests/{}/approve": self._approve,
            "GET /pullrequests/{}/comments": self._comments,
            "POST /pullrequests/{}/comments": self._comment,
            "GET /pullrequests/{}/commits": self._commits,
            "GET /pullrequests/{}/activity": self._activity,
            "GET /pullrequests/{}/diffstat": self._diffstat,
            "GET /commit/{}": self._commit,
            "GET /commit/{}/statuses": self._statuses,
            "POST /commit/{}/statuses/build": self._report,
            "GET /branch-restrictions": self._restricted,
            "POST /branch-restrictions": self._restrict,
            "PUT /branch-restrictions/{}": self._change_restriction,
        }
        for place, handler in routes.items():
            verb, path = place.split(" ")
            self.route(verb, f"/2.0/repositories/{repository}{path}", self._known(handler))
        workspace = repository.partition("/")[0]
        self.route("GET", f"/2.0/workspaces/{workspace}/members", self._known(self._members))

    def _stranger(self) -> Reply:
        return _error(401, "Token is invalid, expired, or not supported for this endpoint.")

    def _may(self, who: str, *levels: str) -> None:
        if self.state.people[who] not in levels:
            words = "Your credentials lack one or more required privilege scopes."
            raise Stop(403, _error(403, words).body)

    def user(self, name: str) -> dict[str, Any]:
        """Return somebody as Bitbucket shows people."""
        number = list(self.state.people).index(name) if name in self.state.people else 99
        uuid = f"{{00000000-0000-4000-8000-{number:012}}}"
        return {"type": "user", "nickname": name, "display_name": name.capitalize(), "uuid": uuid}

    def _members(self, call: Call, who: str) -> Reply:
        found = re.search(r'"(.*)"', call.query["q"])
        name = found[1] if found else ""
        people = [{"user": self.user(name)}] if name in self.state.people else []
        return Reply(200, {"values": people})

    # Pull requests.

    def _pull(self, number: str) -> Pull:
        pull = self.state.pulls.get(int(number))
        if pull is None:
            raise Stop(404, _error(404, "Pull request not found").body)
        return self.state.look(pull)

    def _shown(self, call: Call, pull: Pull, *, whole: bool = True) -> dict[str, Any]:
        where = {"full_name": self.repository}
        shown: dict[str, Any] = {
            "type": "pullrequest",
            "id": pull.number,
            "title": pull.title,
            "description": pull.body,
            "state": _STATES[pull.state],
            "draft": pull.draft,
            "author": self.user(pull.author),
            "source": {
                "branch": {"name": pull.branch},
                "commit": {"hash": pull.head[:12]},
                "repository": where,
            },
            "destination": {"branch": {"name": pull.base}, "repository": where},
            "merge_commit": {"hash": pull.merged_as[:12]} if pull.merged_as else None,
            "reviewers": [self.user(name) for name in pull.reviewers],
            "links": {"html": {"href": f"{call.base}/pull-requests/{pull.number}"}},
        }
        if whole:
            approved = {one.who for one in pull.reviews}
            shown["participants"] = [
                {"user": self.user(name), "approved": name in approved}
                for name in sorted(approved | set(pull.reviewers))
            ]
        return shown

    def _list(self, call: Call, who: str) -> Reply:
        asked = call.query["q"]
        words = {
            name: found[1].replace('\\"', '"')
            for name in ("source", "destination")
            if (found := re.search(rf'{name}\.branch\.name = "((?:[^"\\]|\\.)*)"', asked))
        }
        pulls = [self.state.look(pull) for pull in self.state.pulls.values()]
        found = [
            self._shown(call, one, whole=False)
            for one in reversed(pulls)
            if words.get("source") in (None, one.branch)
            and words.get("destination") in (None, one.base)
            and _is_state(asked, _STATES[one.state])
        ]
        return _page(call, found)

    def _open(self, call: Call, who: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        branch, base = said["source"]["branch"]["name"], said["destination"]["branch"]["name"]
        for name in (branch, base):
            if self.state.repo.head(name) is None:
                return _error(400, "branch not found", source=[f"branch {name} not found"])
        present = self.state.open_ones(branch, base)
        if present:  # it takes the words for the one that is there
            pull = present[0]
            pull.title, pull.body = said["title"], said["description"]
            return Reply(201, self._shown(call, pull))
        draft = bool(said.get("draft"))
        pull = self.state.open(branch, base, said["title"], said["description"], who, draft)
        return Reply(201, self._shown(call, pull))

    def _get(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._shown(call, self._pull(number)))

    def _edit(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull, said = self._pull(number), call.body
        pull.title, pull.body = said["title"], said.get("description", pull.body)
        pull.draft = said.get("draft", pull.draft)
        if "reviewers" in said:
            names = {self.user(name)["uuid"]: name for name in self.state.people}
            chosen = [names[one["uuid"]] for one in said["reviewers"]]
            if pull.author in chosen:
                words = f"{pull.author} is the author and cannot be included as a reviewer."
                return _error(400, "reviewers: invalid", reviewers=[words])
            pull.reviewers = chosen
        return Reply(200, self._shown(call, pull))

    def _decline(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        pull.state = "closed"
        return Reply(200, self._shown(call, pull))

    def _merge(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull, said = self._pull(number), call.body
        if pull.state != "open":
            return _error(409, "This pull request is already closed.")
        pull.unchecked = 0
        if self.state.merges(pull) is False:
            return _error(400, "You cannot merge until you resolve all merge conflicts.")
        for kind, value in self._gates(pull.base).items():
            approvals = len({one.who for one in pull.reviews})
            builds = [one.state for one in self.state.newest(pull.head).values()]
            given = approvals if "approvals" in kind else builds.count("SUCCESSFUL")
            if given < value:
                return _error(400, f"You cannot merge: {kind} asks for {value}")
        method = _METHODS[said["merge_strategy"]]
        self.state.merge(pull, method, said["message"], who)
        return Reply(200, self._shown(call, pull))

    def _gates(self, base: str) -> dict[str, int]:
        return {
            str(rule["kind"]): int(rule["value"])
            for rule in self.restrictions
            if rule["pattern"] == base and rule.get("value") is not None
        }

    def _approve(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        when = self.state.now()
        pull.reviews.append(Review(self.state.number(), who, "approved", pull.head, when))
        return Reply(200, {"approved": True})

    def _comments(self, call: Call, who: str, number: str) -> Reply:
        said = [{"content": {"raw": text}} for _, text in self._pull(number).comments]
        return _page(call, said)

    def _comment(self, call: Call, who: str, number: str) -> Reply:
        self._pull(number).comments.append((who, call.body["content"]["raw"]))
        return Reply(201, call.body)

    def _commits(self, call: Call, who: str, number: str) -> Reply:
        found = []
        for commit, name in self.state.written(self._pull(number)):
            author: dict[str, Any] = {"raw": f"{name} <{name}@example.com>"}
            if name in self.state.people:
                author["user"] = self.user(name)
            found.append({"hash": commit, "author": author})
        return _page(call, found)

    def _activity(self, call: Call, who: str, number: str) -> Reply:
        """What happened, newest first, over a `next` link that is no number."""
        pull = self._pull(number)
        told: list[tuple[str, dict[str, Any]]] = []
        for head, time in pull.versions:
            source = {"commit": {"hash": head[:12]}}
            told.append((time, {"update": {"date": time, "source": source}}))
        for one in pull.reviews:
            approval = {"date": one.time, "user": self.user(one.who)}
            told.append((one.time, {"approval": approval}))
        told.sort(key=lambda one: one[0], reverse=True)
        place = int(call.query.get("ctx", "0"))
        body: dict[str, Any] = {"values": [one for _, one in told[place : place + 2]]}
        if place + 2 < len(told):
            body["next"] = f"{call.base}{call.path}?ctx={place + 2}"
        return Reply(200, body)

    def _diffstat(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        pull.unchecked = 0
        bad = pull.state == "open" and self.state.merges(pull) is False
        return _page(call, [{"status": "merge conflict" if bad else "modified"}])

    # Commits and rules.

    def _commit(self, call: Call, who: str, commit: str) -> Reply:
        if not self.state.knows(commit):
            return _error(404, f"Commit not found: {commit}")
        return Reply(200, {"hash": self.state.repo.git("rev-parse", commit).strip()})

    def _statuses(self, call: Call, who: str, commit: str) -> Reply:
        return _page(call, [_status(one) for one in self.state.newest(commit).values()])

    def _report(self, call: Call, who: str, commit: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        assert len(said["key"]) <= 40
        text = said.get("description", "")
        made = self.state.report(commit, said["name"], said["state"], text, said["url"], who)
        return Reply(201, _status(made))

    def _restricted(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        return _page(call, self.restrictions)

    def _restrict(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        made = {"id": self.state.number(), "users": [], "groups": [], **call.body}
        self.restrictions.append(made)
        return Reply(201, made)

    def _change_restriction(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin")
        rule = next(one for one in self.restrictions if one["id"] == int(number))
        rule |= call.body
        return Reply(200, rule)


def _is_state(asked: str, state: str) -> bool:
    found = re.search(r'state (!?=) "(\w+)"', asked)
    assert found is not None
    return (state == found[2]) == (found[1] == "=")


def _status(status: Status) -> dict[str, Any]:
    return {"key": status.name[:40], "name": status.name, "state": status.state}


def _page(call: Call, items: list[Any]) -> Reply:
    """One page of a list, with the address of the next one."""
    page, size = int(call.query.get("page", "1")), int(call.query.get("pagelen", "10"))
    body: dict[str, Any] = {"values": items[(page - 1) * size : page * size]}
    if page * size < len(items):
        body["next"] = f"{call.base}{call.path}?page={page + 1}&pagelen={size}"
    return Reply(200, body)


def _error(status: int, words: str, **fields: list[str]) -> Reply:
    error: dict[str, Any] = {"message": words}
    if fields:
        error["fields"] = fields
    return Reply(status, {"type": "error", "error": error})
