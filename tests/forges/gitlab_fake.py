"""GitLab's interface over a repository of our own, with GitLab's words where they matter.

What it says of itself is what was read of GitLab's documentation and source, not measured; the
typed objects of python-gitlab, which the people of the contract test use, are the only witness.
"""

from __future__ import annotations

from typing import Any

from forges.json_server import Call, JsonServer, Reply, Stop
from forges.state import ForgeState, Pull, Review, Rule, Status

_LEVELS = {"admin": 40, "write": 30, "read": 20}


class GitlabFake(JsonServer):
    """GitLab for one project.

    Attributes:
        state: what it knows; `rules` are protected branches.
        project: settings of the project.
        required: how many approvals the project asks for; None: its edition cannot.
    """

    def __init__(self, state: ForgeState, repository: str) -> None:
        super().__init__()
        self.state = state
        self.repository = repository
        self.ids = {name: number for number, name in enumerate(state.people, 11)}
        self.required: int | None = 0
        self.settings: dict[str, Any] = {}
        self.project: dict[str, Any] = {
            "id": 7,
            "path_with_namespace": repository,
            "default_branch": "main",
            "merge_method": "merge",
            "only_allow_merge_if_pipeline_succeeds": False,
        }
        routes = {
            "GET /projects/{}": self._project,
            "PUT /projects/{}": self._change_project,
            "GET /projects/{}/merge_requests": self._list,
            "POST /projects/{}/merge_requests": self._open,
            "GET /projects/{}/merge_requests/{}": self._get,
            "PUT /projects/{}/merge_requests/{}": self._edit,
            "PUT /projects/{}/merge_requests/{}/merge": self._merge,
            "GET /projects/{}/merge_requests/{}/approvals": self._approvals,
            "POST /projects/{}/merge_requests/{}/approve": self._approve,
            "GET /projects/{}/merge_requests/{}/versions": self._versions,
            "GET /projects/{}/merge_requests/{}/commits": self._commits_of,
            "GET /projects/{}/events": self._events,
            "GET /projects/{}/merge_trains/merge_requests/{}": self._car,
            "POST /projects/{}/merge_trains/merge_requests/{}": self._board,
            "GET /projects/{}/merge_requests/{}/notes": self._notes,
            "POST /projects/{}/merge_requests/{}/notes": self._note,
            "GET /projects/{}/repository/commits/{}/statuses": self._statuses,
            "GET /projects/{}/repository/commits/{}/merge_requests": self._pulls_of,
            "POST /projects/{}/statuses/{}": self._report,
            "GET /projects/{}/repository/branches/{}": self._branch,
            "GET /projects/{}/protected_branches": self._protected,
            "POST /projects/{}/protected_branches": self._protect,
            "GET /projects/{}/approval_rules": self._approval_rules,
            "POST /projects/{}/approval_rules": self._new_approval_rule,
            "PUT /projects/{}/approval_rules/{}": self._change_approval_rule,
            "GET /projects/{}/approvals": self._approval_settings,
            "POST /projects/{}/approvals": self._change_approvals,
        }
        for place, handler in routes.items():
            verb, path = place.split(" ")
            self.route(verb, f"/api/v4{path}", self._known(handler))
        self.route("GET", "/api/v4/users", self._known(self._users, of_project=False))

    # Who asks.

    def _known(self, handler: Any, *, of_project: bool = True) -> Any:
        def checked(call: Call, *parts: str) -> Reply:
            secret = call.headers.get("authorization", "").removeprefix("Bearer ")
            who = self.state.tokens.get(secret)
            if who is None:
                return Reply(401, {"message": "401 Unauthorized"})
            if of_project:
                if parts[0] not in (self.repository, str(self.project["id"])):
                    return Reply(404, {"message": "404 Project Not Found"})
                parts = parts[1:]
            reply: Reply = handler(call, who, *parts)
            return reply

        return checked

    def _may(self, who: str, level: int, status: int = 403) -> None:
        if _LEVELS[self.state.people[who]] < level:
            words = {401: "401 Unauthorized", 403: "403 Forbidden"}
            raise Stop(status, {"message": words[status]})

    # The project and its people.

    def _project(self, call: Call, who: str) -> Reply:
        return Reply(200, self.project)

    def _change_project(self, call: Call, who: str) -> Reply:
        self._may(who, 40)
        self.project |= call.body
        return Reply(200, self.project)

    def _users(self, call: Call, who: str) -> Reply:
        name = call.query["username"]
        return Reply(200, [self._user(name)] if name in self.ids else [])

    def _user(self, name: str) -> dict[str, Any]:
        shown = {"id": self.ids[name], "username": name, "name": name.capitalize()}
        return {**shown, "state": "active"}

    def _car(self, call: Call, who: str, number: str) -> Reply:
        if int(number) not in self.state.waiting:
            return Reply(404, {"message": "404 Not Found"})
        return Reply(200, {"status": "fresh", "merge_request": {"iid": int(number)}})

    def _board(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        if call.body["sha"] != pull.head:
            return Reply(409, {"message": "SHA does not match HEAD of source branch"})
        self.state.waiting[pull.number] = call.body
        return Reply(201, [{"status": "idle"}])

    def _events(self, call: Call, who: str) -> Reply:
        found = [
            {
                "action_name": "pushed to",
                "author_username": pusher,
                "push_data": {
                    "ref_type": "branch",
                    "ref": branch,
                    "commit_from": before,
                    "commit_to": after,
                },
            }
            for branch, pushes in self.state.pushes.items()
            for pusher, before, after in pushes
        ]
        return Reply(200, found)

    # Merge requests.

    def _commits_of(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        found = []
        for commit, name in self.state.written(pull):
            person = {"name": name.capitalize(), "email": f"{name}@example.com"}
            roles = {
                f"{role}_{key}": value
                for role in ("author", "committer")
                for key, value in person.items()
            }
            found.append({"id": commit, **roles})
        return Reply(200, _page(call, found))

    def _list(self, call: Call, who: str) -> Reply:
        pulls = [self.state.look(pull) for pull in self.state.pulls.values()]
        states = {"opened": "open", "closed": "closed", "merged": "merged"}
        state = states.get(call.query.get("state", "all"))
        source, target = call.query.get("source_branch"), call.query.get("target_branch")
        found = [
            self._shown(call, one)
            for one in reversed(pulls)
            if (state is None or one.state == state)
            and source in (None, one.branch)
            and target in (None, one.base)
        ]
        return Reply(200, _page(call, found))

    def _open(self, call: Call, who: str) -> Reply:
        self._may(who, 30)
        said = call.body
        branch, base = said["source_branch"], said["target_branch"]
        for side, name in (("Source", branch), ("Target", base)):
            if self.state.repo.head(name) is None:
                return Reply(400, {"message": {"base": [f'{side} branch "{name}" does not exist']}})
        present = self.state.open_ones(branch, base)
        if present:
            words = "Another open merge request already exists for this source branch: "
            return Reply(409, {"message": [words + f"!{present[0].number}"]})
        title, draft = _split(said["title"])
        body = said.get("description") or ""
        _no_commands(body)
        pull = self.state.open(branch, base, title, body, who, draft)
        return Reply(201, self._shown(call, pull))

    def _get(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._shown(call, self._pull(number)))

    def _edit(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, 30)
        pull, said = self._pull(number), call.body
        if "title" in said:
            pull.title, pull.draft = _split(said["title"])
        if "description" in said:
            _no_commands(said["description"])
            pull.body = said["description"]
        if said.get("state_event") == "close" and pull.state == "open":
            pull.state = "closed"
        for name in filter(None, said.get("add_labels", "").split(",")):
            if name not in pull.labels:
                pull.labels.append(name)
        if "reviewer_ids" in said:
            names = {number: name for name, number in self.ids.items()}
            pull.reviewers = [names[one] for one in said["reviewer_ids"] if one in names]
        return Reply(200, self._shown(call, pull))

    def _merge(self, call: Call, who: str, number: str) -> Reply:
        pull, said = self._pull(number), {**call.query, **(call.body or {})}
        self._may(who, 30, 401)
        status = self._merge_status(pull)
        if said.get("auto_merge") and status == "ci_must_pass" and said.get("sha") == pull.head:
            self.state.waiting[pull.number] = said
            return Reply(200, self._shown(call, pull))
        if status != "mergeable":
            return Reply(405, {"message": "405 Method Not Allowed"})
        if "sha" not in said:
            return Reply(400, {"message": "SHA must be provided when merging"})
        if said["sha"] != pull.head:
            return Reply(409, {"message": f"SHA does not match HEAD of source branch: {pull.head}"})
        method = "squash" if said.get("squash") else self.project["merge_method"]
        words = said.get("merge_commit_message") or f"Merge branch '{pull.branch}'"
        if method == "squash":
            words = said.get("squash_commit_message") or pull.title
        made = {"ff": "fast-forward"}.get(method, method)
        if self.state.merge(pull, made, words, who) is None:
            return Reply(422, {"message": "Branch cannot be merged"})
        return Reply(200, self._shown(call, pull))

    def _merge_status(self, pull: Pull) -> str:
        if pull.state != "open":
            return "not_open"
        if pull.draft:
            return "draft_status"
        merges = self.state.merges(pull)
        if merges is None:
            return "checking"
        if not merges:
            return "conflict"
        if len(self._approved(pull)) < (self.required or 0):
            return "not_approved"
        pipeline = self._pipeline(pull.head)
        if self.project["only_allow_merge_if_pipeline_succeeds"] and pipeline != "success":
            return "ci_must_pass"
        return "mergeable"

    def _approved(self, pull: Pull) -> list[Review]:
        # Approvals of older heads stay, unless a project says otherwise.
        return [one for one in pull.reviews if _LEVELS[self.state.people[one.who]] >= 30]

    def _approvals(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        given = self._approved(pull)
        shown: dict[str, Any] = {
            "approved": len(given) >= (self.required or 0),
            "approved_by": [
                {"user": self._user(one.who), "approved_at": one.time} for one in given
            ],
        }
        if self.required is not None:
            shown["approvals_required"] = self.required
        return Reply(200, shown)

    def _approve(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        if who == pull.author:
            return Reply(401, {"message": "401 Unauthorized"})
        pull.reviews.append(
            Review(self.state.number(), who, "approved", pull.head, self.state.now())
        )
        return Reply(201, self._approvals(call, who, number).body)

    def _versions(self, call: Call, who: str, number: str) -> Reply:
        shown = [
            {"id": index, "head_commit_sha": head, "created_at": time}
            for index, (head, time) in enumerate(self._pull(number).versions, 1)
        ]
        return Reply(200, _page(call, shown[::-1]))

    def _notes(self, call: Call, who: str, number: str) -> Reply:
        shown = [
            {"id": index, "body": text, "author": self._user(name), "system": False}
            for index, (name, text) in enumerate(self._pull(number).comments, 1)
        ]
        return Reply(200, _page(call, shown[::-1]))

    def _note(self, call: Call, who: str, number: str) -> Reply:
        pull, text = self._pull(number), call.body["body"]
        _no_commands(text)
        pull.comments.append((who, text))
        return Reply(201, {"id": len(pull.comments), "body": text, "author": self._user(who)})

    # Commits.

    def _pipeline(self, commit: str) -> str | None:
        states = {one.state for one in self.state.newest(commit).values()}
        for state in ("failed", "canceled", "running", "pending", "success"):
            if state in states:
                return state
        return None

    def _statuses(self, call: Call, who: str, commit: str) -> Reply:
        if not self.state.knows(commit):
            return Reply(404, {"message": "404 Commit Not Found"})
        newest = self.state.newest(commit).values()
        return Reply(200, _page(call, [_status(commit, one) for one in newest]))

    def _pulls_of(self, call: Call, who: str, commit: str) -> Reply:
        pulls = [self.state.look(one) for one in self.state.pulls.values()]
        found = [
            self._shown(call, one)
            for one in pulls
            if commit in (self.state.brought(one) if one.state == "merged" else [one.head])
        ]
        return Reply(200, _page(call, found))

    def _report(self, call: Call, who: str, commit: str) -> Reply:
        self._may(who, 30)
        said = call.body
        name, state = said.get("name", "default"), said["state"]
        before = self.state.newest(commit).get(name)
        if before is not None and before.state == state == "pending":
            words = "Cannot transition status via :enqueue from :pending "
            reason = '(Reason(s): Status cannot transition via "enqueue")'
            return Reply(400, {"message": words + reason})
        if len(said.get("description") or "") > 255:
            return Reply(400, {"message": "description is too long (maximum is 255 characters)"})
        made = self.state.report(
            commit, name, state, said.get("description"), said.get("target_url"), who
        )
        return Reply(201, _status(commit, made))

    # Rules.

    def _branch(self, call: Call, who: str, branch: str) -> Reply:
        head = self.state.repo.head(branch)
        if head is None:
            return Reply(404, {"message": "404 Branch Not Found"})
        protected = self.state.rule(branch) is not None
        return Reply(200, {"name": branch, "commit": {"id": head}, "protected": protected})

    def _protected(self, call: Call, who: str) -> Reply:
        self._may(who, 40)
        return Reply(200, _page(call, [_protected(name) for name in self.state.rules]))

    def _protect(self, call: Call, who: str) -> Reply:
        self._may(who, 40)
        name = call.body["name"]
        if name in self.state.rules:
            return Reply(409, {"message": f"Protected branch '{name}' already exists"})
        self.state.rules[name] = Rule()
        return Reply(201, _protected(name))

    def _approval_rules(self, call: Call, who: str) -> Reply:
        if self.required is None:
            return Reply(404, {"message": "404 Not Found"})
        return Reply(200, [self._approval_rule()] if self.required else [])

    def _new_approval_rule(self, call: Call, who: str) -> Reply:
        self._may(who, 40)
        self.required = call.body["approvals_required"]
        return Reply(201, self._approval_rule())

    def _change_approval_rule(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, 40)
        self.required = call.body["approvals_required"]
        return Reply(200, self._approval_rule())

    def _approval_rule(self) -> dict[str, Any]:
        shown = {"id": 5, "name": "All Members", "rule_type": "any_approver"}
        return {**shown, "approvals_required": self.required, "protected_branches": []}

    def _approval_settings(self, call: Call, who: str) -> Reply:
        return Reply(200, {"reset_approvals_on_push": False, **self.settings})

    def _change_approvals(self, call: Call, who: str) -> Reply:
        self._may(who, 40)
        self.settings |= call.body
        return Reply(201, self.settings)

    # Documents.

    def _pull(self, number: str) -> Pull:
        pull = self.state.pulls.get(int(number))
        if pull is None:
            raise Stop(404, {"message": "404 Not found"})
        return self.state.look(pull)

    def _shown(self, call: Call, pull: Pull) -> dict[str, Any]:
        pipeline = self._pipeline(pull.head)
        merged = pull.state == "merged"
        return {
            "id": 100 + pull.number,
            "iid": pull.number,
            "project_id": self.project["id"],
            "source_project_id": self.project["id"],
            "target_project_id": self.project["id"],
            "title": f"Draft: {pull.title}" if pull.draft else pull.title,
            "description": pull.body,
            "state": {"open": "opened"}.get(pull.state, pull.state),
            "draft": pull.draft,
            "source_branch": pull.branch,
            "target_branch": pull.base,
            "sha": pull.head,
            "merge_when_pipeline_succeeds": pull.number in self.state.waiting,
            "merge_commit_sha": pull.merged_as if merged and pull.method == "merge" else None,
            "squash_commit_sha": pull.merged_as if merged and pull.method == "squash" else None,
            "detailed_merge_status": self._merge_status(pull),
            "head_pipeline": {"status": pipeline, "sha": pull.head} if pipeline else None,
            "author": self._user(pull.author),
            "labels": list(pull.labels),
            "reviewers": [self._user(name) for name in pull.reviewers],
            "web_url": f"{call.base}/{self.repository}/-/merge_requests/{pull.number}",
        }


def _split(title: str) -> tuple[str, bool]:
    draft = title.startswith("Draft: ")
    return title.removeprefix("Draft: "), draft


def _no_commands(text: str) -> None:
    """GitLab would carry such lines out; a test must see that none comes."""
    for line in text.splitlines():
        if line.strip().startswith("/"):
            raise ValueError(f"a command came: {line}")


def _status(commit: str, status: Status) -> dict[str, Any]:
    return {
        "id": status.number,
        "sha": commit,
        "name": status.name,
        "status": status.state,
        "description": status.text,
        "target_url": status.url,
        "allow_failure": False,
    }


def _protected(name: str) -> dict[str, Any]:
    nobody = {"access_level": 0, "access_level_description": "No one"}
    return {"id": 3, "name": name, "push_access_levels": [nobody]}


def _page(call: Call, items: list[Any]) -> list[Any]:
    size, page = int(call.query.get("per_page", 20)), int(call.query.get("page", 1))
    return items[(page - 1) * size : page * size]
