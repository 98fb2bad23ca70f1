"""GitHub's interface over a repository of our own, with GitHub's words where they matter.

It is what the adapter's tests talk to; where a description of the interface is at hand, every
request and answer is held against it. What it says of itself is the facts that were read of
GitHub (its description, and threads of people who met its refusals), not what was measured.
"""

from __future__ import annotations

from typing import Any

from forges.json_server import Call, JsonServer, Reply, Stop
from forges.openapi import Description
from forges.state import ForgeState, Pull, Review

ROOT = "/api/v3"
_ROLES = {"admin": "admin", "write": "write", "read": "read"}


class GithubFake(JsonServer):
    """GitHub Enterprise Server for one repository.

    Attributes:
        state: what it knows.
        description: fills answers up, and finds what is wrong with them; None: nothing is checked.
    """

    def __init__(self, state: ForgeState, repository: str, description: Description | None) -> None:
        super().__init__()
        self.state = state
        self.repository = repository
        self.description = description
        self.rulesets: dict[int, dict[str, Any]] = {}
        self.watches.append(self._watch)
        routes = {
            "GET ": self._about,
            "GET /pulls": self._list,
            "POST /pulls": self._open,
            "GET /pulls/{}": self._get,
            "PATCH /pulls/{}": self._edit,
            "PUT /pulls/{}/merge": self._merge,
            "GET /pulls/{}/commits": self._commits_of,
            "GET /activity": self._activity,
            "GET /pulls/{}/reviews": self._reviews,
            "POST /pulls/{}/reviews": self._review,
            "POST /pulls/{}/requested_reviewers": self._ask_reviewers,
            "GET /issues/{}/comments": self._comments,
            "POST /issues/{}/comments": self._comment,
            "POST /issues/{}/labels": self._label,
            "GET /collaborators/{}/permission": self._permission,
            "GET /commits/{}/status": self._status,
            "GET /commits/{}/check-runs": self._runs,
            "GET /commits/{}/pulls": self._pulls_of,
            "POST /statuses/{}": self._report,
            "GET /rules/branches/{}": self._rules,
            "GET /branches/{}": self._branch,
            "GET /branches/{}/protection": self._classic,
            "GET /rulesets": self._list_rulesets,
            "POST /rulesets": self._new_ruleset,
            "GET /rulesets/{}": self._ruleset,
            "PUT /rulesets/{}": self._change_ruleset,
        }
        for place, handler in routes.items():
            verb, path = place.split(" ")
            self.route(verb, f"{ROOT}/repos/{repository}{path}", self._known(handler))
        self.route("POST", "/api/graphql", self._graphql)
        self.queue: list[dict[str, Any]] = []

    # What only GraphQL has: auto-merge and the merge queue.

    def _graphql(self, call: Call) -> Reply:
        said = call.body
        given = said["variables"]
        if "mergeQueueEntry" in said["query"]:
            waits = any(one["pullRequestId"] == given["id"] for one in self.queue)
            entry = {"position": 1, "state": "AWAITING_CHECKS"} if waits else None
            return Reply(200, {"data": {"node": {"mergeQueueEntry": entry}}})
        given = given["input"]
        pull = next(
            one for one in self.state.pulls.values() if _node(one) == given["pullRequestId"]
        )
        if given["expectedHeadOid"] != self.state.look(pull).head:
            words = "Expected head sha didn't match current head ref."
            return Reply(200, {"data": None, "errors": [{"message": words}]})
        if "enqueuePullRequest" in said["query"]:
            self.queue.append(given)
        else:
            self.state.waiting[pull.number] = given
        return Reply(200, {"data": {"done": {"clientMutationId": None}}})

    # Who asks.

    def _known(self, handler: Any) -> Any:
        def checked(call: Call, *parts: str) -> Reply:
            kind, _, secret = call.headers.get("authorization", "").partition(" ")
            who = self.state.tokens.get(secret) if kind in ("token", "Bearer") else None
            if who is None:
                return Reply(401, {"message": "Bad credentials"})
            reply: Reply = handler(call, who, *parts)
            if self.description is not None:
                path = call.path.removeprefix(ROOT)
                reply.body = self.description.filled(call.verb, path, reply.status, reply.body)
            return reply

        return checked

    def _watch(self, call: Call, reply: Reply) -> None:
        if self.description is None or reply.status == 401:
            return
        path = call.path.removeprefix(ROOT)
        what = self.description
        self.faults += what.problems_of_request(call.verb, path, call.query, call.body)
        self.faults += what.problems_of_answer(call.verb, path, reply.status, reply.body)

    def _may(self, who: str, *permissions: str) -> None:
        if self.state.people[who] not in permissions:
            raise Stop(404, {"message": "Not Found"})

    def _about(self, call: Call, who: str) -> Reply:
        return Reply(200, {"allow_auto_merge": self.state.auto_merge})

    # Pull requests.

    def _list(self, call: Call, who: str) -> Reply:
        head, base = call.query.get("head", ""), call.query.get("base")
        owner = self.repository.partition("/")[0]
        pulls = [self.state.look(pull) for pull in self.state.pulls.values()]
        state = call.query.get("state", "open")
        if state != "all":
            pulls = [one for one in pulls if (one.state == "open") == (state == "open")]
        if base:
            pulls = [one for one in pulls if one.base == base]
        if ":" in head:  # a name without an owner is passed over
            pulls = [one for one in pulls if head == f"{owner}:{one.branch}"]
        return Reply(200, _page(call, [self._simple(call, one) for one in reversed(pulls)]))

    def _open(self, call: Call, who: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        branch, base = said["head"], said["base"]
        if self.state.repo.head(branch) is None:
            return _invalid({"resource": "PullRequest", "field": "head", "code": "invalid"})
        if self.state.open_ones(branch, base):
            owner = self.repository.partition("/")[0]
            text = f"A pull request already exists for {owner}:{branch}."
            return _invalid({"resource": "PullRequest", "code": "custom", "message": text})
        if self.state.in_base(branch, base):
            text = f"No commits between {base} and {branch}"
            return _invalid({"resource": "PullRequest", "code": "custom", "message": text})
        title, body = said["title"], said.get("body") or ""
        pull = self.state.open(branch, base, title, body, who, bool(said.get("draft")))
        return Reply(201, self._whole(call, pull), {"Location": self._url(call, pull)})

    def _get(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._whole(call, self._pull(number)))

    def _commits_of(self, call: Call, who: str, number: str) -> Reply:
        found = []
        for commit, login in self.state.written(self._pull(number)):
            person = {"login": login} if login in self.state.people else None
            found.append({"sha": commit, "author": person, "committer": {"login": "web-flow"}})
        return Reply(200, _page(call, found))

    def _activity(self, call: Call, who: str) -> Reply:
        pushes = self.state.pushes.get(call.query["ref"].removeprefix("refs/heads/"), ())
        found = [
            {
                "id": number,
                "node_id": f"n{number}",
                "ref": call.query["ref"],
                "before": before,
                "after": after,
                "timestamp": "2026-01-05T09:00:00Z",
                "activity_type": "push",
                "actor": {"login": pusher},
            }
            for number, (pusher, before, after) in enumerate(pushes)
        ]
        return Reply(200, found)

    def _edit(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull = self._pull(number)
        pull.title = call.body.get("title", pull.title)
        # Line ends of a page, which some clients get back.
        pull.body = call.body.get("body", pull.body).replace("\n", "\r\n")
        if "state" in call.body:
            if pull.state == "merged":
                return _invalid({"resource": "PullRequest", "field": "state", "code": "invalid"})
            pull.state = call.body["state"]
        return Reply(200, self._whole(call, pull))

    def _merge(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull, said = self._pull(number), call.body
        method = said.get("merge_method", "merge")
        if pull.state != "open" or pull.draft:
            words = (
                "Pull Request is still a draft" if pull.draft else "Pull Request is not mergeable"
            )
            return Reply(405, {"message": words})
        if said.get("sha", pull.head) != pull.head:
            words = "Head branch was modified. Review and try the merge again."
            return Reply(409, {"message": words})
        mergeable = self.state.merges(pull)
        if not mergeable:
            words = "Pull Request is not mergeable"
            return Reply(
                405,
                {
                    "message": words
                    if mergeable is False
                    else "Base branch was modified. Review and try the merge again."
                },
            )
        refusal = self._refusal(pull)
        if refusal:
            words = f"Repository rule violations found\n\n{refusal}\n\n"
            return Reply(405, {"message": words})
        title = said.get("commit_title") or f"Merge pull request #{pull.number} from {pull.branch}"
        message = f"{title}\n\n{said.get('commit_message', '')}"
        commit = self.state.merge(pull, method, message, who)
        done = "Pull Request successfully merged"
        return Reply(200, {"sha": commit, "merged": True, "message": done})

    def _refusal(self, pull: Pull) -> str:
        newest = self.state.newest(pull.head)
        given = {one.who for one in pull.reviews if self._counts(pull, one)}
        for rule in self._active(pull.base):
            parameters = rule["parameters"]
            for one in parameters.get("required_status_checks", ()):
                name = one["context"]
                if name not in newest or newest[name].state != "success":
                    return f'Required status check "{name}" is expected.'
            wanted = parameters.get("required_approving_review_count", 0)
            if len(given) < wanted:
                who = "reviewers with write access"
                return f"At least {wanted} approving review is required by {who}."
        return ""

    def _active(self, branch: str) -> list[dict[str, Any]]:
        """Return the rules that hold for a branch, of rulesets and of classic protection."""
        found = []
        for number, one in self.rulesets.items():
            names = one["conditions"]["ref_name"]["include"]
            if any(_matches(name, branch) for name in names):
                found += [{**rule, "ruleset_id": number} for rule in one["rules"]]
        classic = self.state.rules.get(branch)
        if classic is not None:
            checks = [{"context": name} for name in classic.checks]
            parameters = {
                "required_approving_review_count": classic.approvals,
                "required_status_checks": checks,
            }
            found.append({"type": "classic", "parameters": parameters})
        return found

    def _counts(self, pull: Pull, review: Review) -> bool:
        writes = self.state.people[review.who] in ("admin", "write")
        return review.state == "APPROVED" and review.commit == pull.head and writes

    def _reviews(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        return Reply(200, _page(call, [self._one_review(call, pull, one) for one in pull.reviews]))

    def _review(self, call: Call, who: str, number: str) -> Reply:
        pull, event = self._pull(number), call.body["event"]
        if who == pull.author and event == "APPROVE":
            return _invalid("Can not approve your own pull request")
        states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
        state = states.get(event, "COMMENTED")
        review = Review(self.state.number(), who, state, pull.head, self.state.now())
        pull.reviews.append(review)
        pull.reviewers = [one for one in pull.reviewers if one != who]
        return Reply(200, self._one_review(call, pull, review))

    def _ask_reviewers(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull = self._pull(number)
        for one in call.body.get("reviewers", ()):
            if one == pull.author:
                return _invalid("Review cannot be requested from pull request author.")
            if one not in self.state.people:
                text = (
                    "Reviews may only be requested from collaborators. One or more of the users or "
                    "teams you specified is not a collaborator of the "
                    f"{self.repository} repository."
                )
                return _invalid(text)
            pull.reviewers.append(one)
        return Reply(201, self._simple(call, pull))

    def _comments(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        return Reply(200, _page(call, [self._one_comment(call, *one) for one in pull.comments]))

    def _comment(self, call: Call, who: str, number: str) -> Reply:
        pull = self._pull(number)
        pull.comments.append((who, call.body["body"]))
        return Reply(201, self._one_comment(call, *pull.comments[-1]))

    def _label(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin", "write")
        pull = self._pull(number)
        pull.labels += [one for one in call.body["labels"] if one not in pull.labels]
        return Reply(200, [self._one_label(call, name) for name in pull.labels])

    def _permission(self, call: Call, who: str, name: str) -> Reply:
        self._may(who, "admin", "write")
        role = _ROLES[self.state.people[name]]
        return Reply(
            200, {"permission": role, "role_name": role, "user": self._collaborator(call, name)}
        )

    # Commits.

    def _status(self, call: Call, who: str, commit: str) -> Reply:
        newest = list(self.state.newest(commit).values())
        shown = [
            {
                "id": one.number, "state": one.state, "context": one.name,
                "description": one.text, "target_url": one.url,
                "created_at": one.time, "updated_at": one.time,
            }
            for one in newest
        ]  # fmt: skip
        return Reply(
            200,
            {
                "state": "pending",
                "sha": commit,
                "total_count": len(shown),
                "statuses": _page(call, shown),
            },
        )

    def _runs(self, call: Call, who: str, commit: str) -> Reply:
        return Reply(200, {"total_count": 0, "check_runs": []})

    def _pulls_of(self, call: Call, who: str, commit: str) -> Reply:
        pulls = [self.state.look(one) for one in self.state.pulls.values()]
        found = [
            one
            for one in pulls
            if commit in (self.state.brought(one) if one.state == "merged" else [one.head])
        ]
        return Reply(200, _page(call, [self._simple(call, one) for one in found]))

    def _report(self, call: Call, who: str, commit: str) -> Reply:
        self._may(who, "admin", "write")
        said = call.body
        one = self.state.report(
            commit, said.get("context", "default"), said["state"],
            said.get("description"), said.get("target_url"), who,
        )  # fmt: skip
        if len(one.text or "") > 140:
            return _invalid("description is too long (maximum is 140 characters)")
        shown = {
            "id": one.number, "state": one.state, "context": one.name, "description": one.text,
            "target_url": one.url, "created_at": one.time, "updated_at": one.time,
            "creator": self._user(call, who),
        }  # fmt: skip
        return Reply(201, shown)

    # Rules. Rulesets are for everybody to read, classic protection is for administrators.

    def _rules(self, call: Call, who: str, branch: str) -> Reply:
        source = {"ruleset_source": self.repository, "ruleset_source_type": "Repository"}
        rules = [{**rule, **source} for rule in self._active(branch) if rule["type"] != "classic"]
        return Reply(200, _page(call, rules))

    def _branch(self, call: Call, who: str, branch: str) -> Reply:
        head, rule = self.state.repo.head(branch), self.state.rules.get(branch)
        if head is None:
            return Reply(404, {"message": "Branch not found"})
        protection = {"enabled": rule is not None}
        if rule is not None:
            protection["required_status_checks"] = {
                "enforcement_level": "non_admins", "contexts": rule.checks,
                "checks": [{"context": name, "app_id": None} for name in rule.checks],
            }  # fmt: skip
        shown = {"name": branch, "commit": {"sha": head}, "protected": rule is not None}
        return Reply(200, {**shown, "protection": protection})

    def _classic(self, call: Call, who: str, branch: str) -> Reply:
        self._may(who, "admin")
        rule = self.state.rules.get(branch)
        if rule is None:
            return Reply(404, {"message": "Branch not protected"})
        shown = {
            "required_pull_request_reviews": {
                "required_approving_review_count": rule.approvals,
                "dismiss_stale_reviews": False,
                "require_code_owner_reviews": False,
            },
            "required_status_checks": {
                "contexts": rule.checks,
                "checks": [{"context": name, "app_id": None} for name in rule.checks],
            },
        }
        return Reply(200, shown)

    def _list_rulesets(self, call: Call, who: str) -> Reply:
        shown = [
            {"id": number, "name": one["name"], "source": self.repository, "enforcement": "active"}
            for number, one in self.rulesets.items()
        ]
        return Reply(200, _page(call, shown))

    def _new_ruleset(self, call: Call, who: str) -> Reply:
        self._may(who, "admin")
        number = self.state.number()
        self.rulesets[number] = dict(call.body)
        return Reply(201, self._one_ruleset(number))

    def _ruleset(self, call: Call, who: str, number: str) -> Reply:
        return Reply(200, self._one_ruleset(int(number)))

    def _change_ruleset(self, call: Call, who: str, number: str) -> Reply:
        self._may(who, "admin")
        self.rulesets[int(number)] |= call.body
        return Reply(200, self._one_ruleset(int(number)))

    def _one_ruleset(self, number: int) -> dict[str, Any]:
        return {"id": number, "source": self.repository, **self.rulesets[number]}

    # Documents.

    def _pull(self, number: str) -> Pull:
        pull = self.state.pulls.get(int(number))
        if pull is None:
            raise Stop(404, {"message": "Not Found"})
        return self.state.look(pull)

    def _url(self, call: Call, pull: Pull) -> str:
        return f"{call.base}{ROOT}/repos/{self.repository}/pulls/{pull.number}"

    def _simple(self, call: Call, pull: Pull) -> dict[str, Any]:
        repo = {"id": 1, "full_name": self.repository}
        merged = pull.merged_as is not None
        return {
            "number": pull.number,
            "url": self._url(call, pull),
            "html_url": f"{call.base}/{self.repository}/pull/{pull.number}",
            "head": {"ref": pull.branch, "sha": pull.head, "repo": repo, "label": pull.branch},
            "base": {
                "ref": pull.base, "sha": self.state.repo.head(pull.base), "repo": repo,
                "label": pull.base,
            },
            "state": "open" if pull.state == "open" else "closed",
            "title": pull.title,
            "body": pull.body,
            "user": self._user(call, pull.author),
            "draft": pull.draft,
            "merged_at": pull.time if merged else None,
            "merge_commit_sha": pull.merged_as,
            "labels": [self._one_label(call, name) for name in pull.labels],
            "requested_reviewers": [self._user(call, name) for name in pull.reviewers],
            "requested_teams": [],
            "locked": False,
            "author_association": "COLLABORATOR",
        }  # fmt: skip

    def _whole(self, call: Call, pull: Pull) -> dict[str, Any]:
        merged = pull.merged_as is not None
        mergeable = self.state.merges(pull) if pull.state == "open" else None
        words = {None: "unknown", True: "clean", False: "dirty"}
        return {
            **self._simple(call, pull),
            "merged": merged,
            "mergeable": mergeable,
            "mergeable_state": "blocked"
            if self.state.auto_merge and mergeable and self._refusal(pull)
            else words[mergeable],
            "node_id": _node(pull),
            "auto_merge": {"merge_method": "merge"} if pull.number in self.state.waiting else None,
        }

    def _one_review(self, call: Call, pull: Pull, review: Review) -> dict[str, Any]:
        return {
            "id": review.number, "user": self._user(call, review.who), "body": "",
            "state": review.state, "commit_id": review.commit, "submitted_at": review.time,
            "author_association": "COLLABORATOR",
        }  # fmt: skip

    def _one_comment(self, call: Call, who: str, text: str) -> dict[str, Any]:
        return {"id": 1, "body": text, "user": self._user(call, who)}

    def _one_label(self, call: Call, name: str) -> dict[str, Any]:
        return {"id": 1, "name": name, "color": "ededed", "default": False, "description": None}

    def _user(self, call: Call, name: str) -> dict[str, Any]:
        return {"login": name, "id": 1, "type": "User", "site_admin": False}

    def _collaborator(self, call: Call, name: str) -> dict[str, Any]:
        return {**self._user(call, name), "role_name": self.state.people[name]}


def _invalid(error: Any) -> Reply:
    return Reply(422, {"message": "Validation Failed", "errors": [error]})


def _node(pull: Pull) -> str:
    return f"PR_{pull.number}"


def _page(call: Call, items: list[Any]) -> list[Any]:
    size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    return items[(page - 1) * size : page * size]


def _matches(pattern: str, branch: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(f"refs/heads/{branch}", pattern)
