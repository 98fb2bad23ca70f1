"""Azure DevOps' interface over a repository of our own, as its published description has it.

What it says of itself was read there (learn.microsoft.com/rest/api/azure/devops, 7.1), not
measured: merges that go on after their answer, votes that stay, threads of the system for votes,
policies in place of rules of branches, a page to sign in for whoever is nobody.
"""

from __future__ import annotations

import base64
from typing import Any

from forges.forge_server import ForgeServer
from forges.json_server import Call, Reply, Stop
from forges.state import ForgeState, Pull, Review

_STATES = {"open": "active", "merged": "completed", "closed": "abandoned"}
_METHODS = {"noFastForward": "merge", "squash": "squash", "rebase": "rebase"}
_REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
_STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
_HEADS = "refs/heads/"


class AzureFake(ForgeServer):
    """Azure DevOps for one repository.

    Attributes:
        policies: of branches.
    """

    def __init__(self, state: ForgeState, repository: str) -> None:
        super().__init__(state)
        organisation, project, name = repository.split("/")
        self.policies: list[dict[str, Any]] = []
        root = f"/{organisation}/{project}/_apis/git/repositories/{name}"
        routes = {
            "GET ": self._repository,
            "GET /pullrequests": self._list,
            "POST /pullrequests": self._open,
            "GET /pullrequests/{}": self._get,
            "PATCH /pullrequests/{}": self._edit,
            "POST /pullRequests/{}/labels": self._label,
            "PUT /pullRequests/{}/reviewers/{}": self._review,
            "GET /pullRequests/{}/threads": self._threads,
            "POST /pullRequests/{}/threads": self._comment,
            "GET /pullRequests/{}/commits": self._commits,
            "GET /pullRequests/{}/iterations": self._iterations,
            "GET /commits/{}/statuses": self._statuses,
            "POST /commits/{}/statuses": self._report,
            "POST /pullrequestquery": self._query,
        }
        for place, handler in routes.items():
            verb, _, path = place.partition(" ")
            self.route(verb, f"{root}{path}", self._known(handler))
        above = f"/{organisation}/{project}/_apis/policy"
        self.route("GET", f"{above}/configurations", self._known(self._configurations))
        self.route("POST", f"{above}/configurations", self._known(self._configure))
        self.route("PUT", f"{above}/configurations/{{}}", self._known(self._configure))
        self.route("GET", f"{above}/evaluations", self._known(self._evaluations))
        teams = f"/{organisation}/_apis/projects/{project}/teams"
        self.route("GET", teams, self._known(self._teams))
        self.route("GET", f"{teams}/{{}}/members", self._known(self._members))

    def _secret(self, call: Call) -> str:
        assert call.query.get("api-version", "").startswith("7.1"), call.query
        sent = call.headers.get("authorization", "").removeprefix("Basic ")
        return base64.b64decode(sent).decode().removeprefix(":")

    def _stranger(self) -> Reply:
        return Reply(203, "<html>Sign In</html>")

    def _may(self, who: str, *levels: str) -> None:
        if self.state.people[who] not in levels:
            words = "TF401027: You need the Git permission to perform this action."
            raise Stop(403, {"message": words})

    def id_of(self, name: str) -> str:
        """Return the id of somebody."""
        return f"00000000-0000-4000-8000-{list(self.state.people).index(name):012}"

    def _user(self, name: str) -> dict[str, Any]:
        return {"id": self.id_of(name), "uniqueName": name, "displayName": name.capitalize()}

    def _repository(self, call: Call, who: str) -> Reply:
        return Reply(200, {"id": "repo-7", "name": "manifests", "project": {"id": "project-3"}})

    def _teams(self, call: Call, who: str) -> Reply:
        return Reply(200, {"value": [{"id": "team-1", "name": "shop Team"}]})

    def _members(self, call: Call, who: str, team: str) -> Reply:
        return Reply(200, {"value": [{"identity": self._user(name)} for name in self.state.people]})

    # Pull requests.

    def _pull(self, number: str) -> Pull:
        pull = self.state.pulls.get(int(number))
        if pull is None:
            raise Stop(
                404, {"message": f"TF401180: The requested pull request {number} was not found."}
            )
        return self.state.look(pull)

    def _merge_status(self, pull: Pull) -> str:
        if pull.state == "merged":
            return "succeeded"
        merges = self.state.merges(pull) if pull.state == "open" else None
        return "queued" if merges is None else "succeeded" if merges else "conflicts"

    def _shown(self, call: Call, pull: Pull) -> dict[str, Any]:
        voters = {one.who: 10 for one in pull.reviews}
        shown: dict[str, Any] = {
            "pullRequestId": pull.number,
            "title": pull.title,
            "description": pull.body,
            "status": _STATES[pull.state],
            "isDraft": pull.draft,
            "createdBy": self._user(pull.author),
            "sourceRefName": f"{_HEADS}{pull.branch}",
            "targetRefName": f"{_HEADS}{pull.base}",
            "mergeStatus": self._merge_status(pull),
            "lastMergeSourceCommit": {"commitId": pull.head},
            "reviewers": [
                {**self._user(name), "vote": voters.get(name, 0)}
                for name in dict.fromkeys([*pull.reviewers, *voters])
            ],
            "labels": [{"name": name, "active": True} for name in pull.labels],
            "repository": {"id": "repo-7", "project": {"id": "project-3"}},
        }
        if pull.merged_as:
            shown["lastMergeCommit"] = {"commitId": pull.merged_as}
        return shown

    def _list(self, call: Call, who: str) -> Reply:
        asked = {name.partition(".")[2]: value for name, value in call.query.items()}
        pulls = [self.state.look(pull) for pull in self.state.pulls.values()]
        found = [
            self._shown(call, one)
            for one in reversed(pulls)
            if (asked["sourceRefName"], asked["targetRefName"])
            == (f"{_HEADS}{one.branch}", f"{_HEADS}{one.base}")
            and asked["status"] in ("all", _STATES[one.state])
        ]
        return _page(call, found)

    def _open(self, call: Call, who: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        branch, base = (
            said[f"{side}RefName"].removeprefix(_HEADS) for side in ("source", "target")
        )
        for name in (branch, base):
            if self.state.repo.head(name) is None:
                return Reply(400, {"message": f"TF401398: the reference {name} no longer exists."})
        if self.state.open_ones(branch, base):
            words = (
                "TF401179: An active pull request for the source and target branch already exists."
            )
            return Reply(409, {"message": words})
        assert len(said["description"]) <= 4000
        draft = bool(said.get("isDraft"))
        pull = self.state.open(branch, base, said["title"], said["description"], who, draft)
        return Reply(201, self._shown(call, pull))

    def _get(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._shown(call, self._pull(number)))

    def _edit(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull, said = self._pull(number), call.body
        pull.title = said.get("title", pull.title)
        pull.body = said.get("description", pull.body)
        pull.draft = said.get("isDraft", pull.draft)
        status = said.get("status")
        if status == "abandoned" and pull.state == "open":
            pull.state = "closed"
        if status == "completed":
            return self._complete(call, who, pull)
        return Reply(200, self._shown(call, pull))

    def _complete(self, call: Call, who: str, pull: Pull) -> Reply:
        said = call.body
        if pull.state != "open":
            return Reply(409, {"message": "TF401181: The pull request cannot be edited."})
        if said["lastMergeSourceCommit"]["commitId"] != pull.head:
            words = "TF401192: The source branch has been modified since it was looked at."
            return Reply(409, {"message": words})
        if pull.draft:
            return Reply(400, {"message": "A draft cannot be completed."})
        if self.state.merges(pull) is False:
            return Reply(409, {"message": "The pull request has merge conflicts."})
        unmet = [one for one in self._evaluated(pull) if one["status"] != "approved"]
        if unmet:
            return Reply(403, {"message": "TF402455: policies have not been satisfied"})
        before = self._shown(call, pull)
        options = said["completionOptions"]
        method = _METHODS[options["mergeStrategy"]]
        self.state.merge(pull, method, options["mergeCommitMessage"], who)
        return Reply(200, {**before, "mergeStatus": "queued"})  # it goes on after the answer

    def _label(self, call: Call, who: str, number: str) -> Reply:
        self._pull(number).labels.append(call.body["name"])
        return Reply(200, {"name": call.body["name"], "active": True})

    def _review(self, call: Call, who: str, number: str, person: str) -> Reply:
        pull = self._pull(number)
        names = {self.id_of(name): name for name in self.state.people}
        if person not in names:
            return Reply(404, {"message": "TF50309: no such identity"})
        if call.body["vote"] == 10:
            when = self.state.now()
            pull.reviews.append(Review(self.state.number(), who, "approved", pull.head, when))
        elif names[person] not in pull.reviewers:
            pull.reviewers.append(names[person])
        return Reply(200, {})

    def _threads(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        told = [
            {
                "publishedDate": one.time,
                "properties": {
                    "CodeReviewThreadType": {"$type": "System.String", "$value": "VoteUpdate"},
                    "CodeReviewVoteResult": {"$type": "System.String", "$value": "10"},
                },
                "comments": [{"author": self._user(one.who), "commentType": "system"}],
            }
            for one in pull.reviews
        ]
        said = [
            {"publishedDate": self.state.now(), "comments": [{"content": text}]}
            for _, text in pull.comments
        ]
        return Reply(200, {"value": told + said})

    def _comment(self, call: Call, who: str, number: str) -> Reply:
        text = call.body["comments"][0]["content"]
        self._pull(number).comments.append((who, text))
        return Reply(200, call.body)

    def _commits(self, call: Call, who: str, number: str) -> Reply:
        found = []
        for commit, name in self.state.written(self._pull(number)):
            person = {"name": name.capitalize(), "email": name}
            found.append({"commitId": commit, "author": person, "committer": person})
        return _page(call, found)

    def _iterations(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        found = [
            {
                "id": place,
                "createdDate": time,
                "sourceRefCommit": {"commitId": head},
                "author": self._user(pull.author),
            }
            for place, (head, time) in enumerate(pull.versions, 1)
        ]
        return Reply(200, {"value": found})

    # Commits and policies.

    def _statuses(self, call: Call, who: str, commit: str) -> Reply:
        found = []
        for one in self.state.newest(commit).values():
            genre, _, name = one.name.rpartition("/")
            found.append({"state": one.state, "context": {"genre": genre, "name": name}})
        return _page(call, found)

    def _report(self, call: Call, who: str, commit: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        name = "/".join(filter(None, (said["context"]["genre"], said["context"]["name"])))
        text = said["description"]
        self.state.report(commit, name, said["state"], text, said["targetUrl"], who)
        return Reply(201, said)

    def _query(self, call: Call, who: str) -> Reply:
        asked = call.body["queries"][0]
        assert asked["type"] == "lastMergeCommit"
        found = {
            commit: [
                self._shown(call, one)
                for one in self.state.pulls.values()
                if one.merged_as == commit
            ]
            for commit in asked["items"]
        }
        return Reply(200, {"results": [{key: value for key, value in found.items() if value}]})

    def _configurations(self, call: Call, who: str) -> Reply:
        return Reply(200, {"value": self.policies})

    def _configure(self, call: Call, who: str, number: str = "") -> Reply:
        self._may(who, "admin")
        made = {**call.body, "id": int(number) if number else self.state.number()}
        self.policies = [one for one in self.policies if one["id"] != made["id"]] + [made]
        return Reply(200, made)

    def _evaluated(self, pull: Pull) -> list[dict[str, Any]]:
        told = []
        for policy in self.policies:
            settings = policy["settings"]
            if settings["scope"][0]["refName"] != f"{_HEADS}{pull.base}":
                continue
            if policy["type"]["id"] == _REVIEWERS:
                fits = len({one.who for one in pull.reviews}) >= settings["minimumApproverCount"]
            else:
                assert policy["type"]["id"] == _STATUS
                name = "/".join(filter(None, (settings["statusGenre"], settings["statusName"])))
                newest = self.state.newest(pull.head).get(name)
                fits = newest is not None and newest.state == "succeeded"
            told.append({"configuration": policy, "status": "approved" if fits else "queued"})
        return told

    def _evaluations(self, call: Call, who: str) -> Reply:
        number = call.query["artifactId"].rpartition("/")[2]
        assert call.query["artifactId"].startswith("vstfs:///CodeReview/CodeReviewId/project-3/")
        return Reply(200, {"value": self._evaluated(self._pull(number))})


def _page(call: Call, items: list[Any]) -> Reply:
    """One page of a list."""
    skip, top = int(call.query.get("$skip", "0")), int(call.query.get("$top", "100"))
    return Reply(200, {"value": items[skip : skip + top]})
