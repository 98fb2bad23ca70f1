"""`ports.GatedForge` for GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from gitops.adapters.forges.dialect import ForgeDialect
from gitops.adapters.forges.github.answers import (
    GithubObject,
    approvals,
    counts,
    is_of,
    login,
    reasons,
    rule_of,
    shown,
    states,
)
from gitops.adapters.forges.github.api import GithubApi, make_requester, translated
from gitops.adapters.forges.transport.answers import plain
from gitops.adapters.forges.transport.calls import (
    Calls,
    ForgeResponse,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import (
    CheckState,
    Clock,
    Contribution,
    MergeMethod,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
)

_READY = ("clean", "has_hooks", "unstable")  # states of one that may be merged now
_MAINTAINERS = (2, 5)  # ids of roles: maintain, admin
_PAGE_USER = "web-flow"  # commits what somebody else does in the page
_LONGEST_BODY = 65_000  # characters; GitHub takes 65,536


def open_github(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GithubForge:
    """Return the forge at `address`; nobody is contacted yet, but by an App for its token.

    Raises NotFound when the library is not installed, or the App is not where the repository is.
    """
    if token.style == "app":
        from gitops.adapters.forges.github.app import installation_token

        token = installation_token(address, token, clock, budget, environ)
    calls = Calls(address, token, translated, clock, budget)
    return GithubForge(calls, GithubApi(calls, make_requester(calls, token, environ)))


class GithubForge(ForgeDialect):
    """`ports.GatedForge` for a repository on GitHub."""

    refusals = (405, 409, 422)
    restricts = True
    lets_twins = False

    def __init__(self, calls: Calls, api: GithubApi) -> None:
        super().__init__(calls)
        self._api = api

    def _shown(self, pull: GithubObject) -> PullRequest:
        return shown(pull)

    def _number(self, pull: GithubObject) -> int:
        return int(pull["number"])

    def _pull(self, number: int) -> Any:
        return self._api.get("/pulls/{}", number)

    def _open_ones(self, branch: str, base: str) -> Iterable[Any]:
        return self._listed("open", branch, base)

    def _newest_ended(self, branch: str, base: str) -> Any:
        return next(self._listed("closed", branch, base), None)

    def _listed(self, state: str, branch: str, base: str) -> Iterator[Any]:
        """Yield the pull requests of the pair in a state, newest first."""
        owner = self._calls.address.repository.partition("/")[0]
        query = {"head": f"{owner}:{branch}", "base": base, "state": state}
        found = self._api.pages("/pulls", **query, sort="created", direction="desc")
        # A name without its owner would be passed over, so this looks again.
        return (pull for pull in found if is_of(pull, branch, base))

    def _create(self, branch: str, base: str, text: PullText) -> Any:
        words = {"title": text.title, "body": _cut(text.body), "head": branch, "base": base}
        try:
            return self._api.send("POST", "/pulls", **words, draft=text.draft)
        except ForgeResponse as error:
            if not (text.draft and error.status == 422 and "raft" in error.words):
                raise
        # Not every plan has drafts.
        return self._api.send("POST", "/pulls", **words)

    def _exists(self, error: ForgeResponse) -> bool:
        return "already exists" in error.words

    def _update(
        self, pull: GithubObject, text: PullText, *, is_opening: bool = False
    ) -> PullRequest:
        number, body = pull["number"], _cut(text.body)
        if (pull["title"], plain(pull.get("body"))) != (text.title, plain(body)):
            pull = self._api.send("PATCH", "/pulls/{}", number, title=text.title, body=body)
        present = {label["name"] for label in pull["labels"]}
        labels = [label for label in text.labels if label not in present]
        messages = [*self._add_labels(number, labels), *self._ask_reviewers(pull, text.reviewers)]
        if is_opening and text.draft and not pull.get("draft"):
            messages.append("it is no draft: it was ready already, or this plan has no drafts")
        return shown(pull, tuple(messages))

    def _add_labels(self, number: int, labels: Sequence[str]) -> Iterator[str]:
        if not labels:
            return
        yield from self._calls.courtesy(
            f"labels could not be put on it ({', '.join(labels)})",
            partial(self._api.send, "POST", "/issues/{}/labels", number, labels=list(labels)),
        )

    def _ask_reviewers(self, pull: GithubObject, reviewers: Sequence[str]) -> Iterator[str]:
        asked = {login(one) for one in pull.get("requested_reviewers") or ()}
        asked |= {f"team:{one['slug']}" for one in pull.get("requested_teams") or ()}
        wanted = [one for one in reviewers if one not in asked]
        if wanted:
            # Asking again would take back what they said of this very head.
            reviews = self._api.pages("/pulls/{}/reviews", pull["number"])
            head = pull["head"]["sha"]
            asked = {login(one.get("user")) for one in reviews if one["commit_id"] == head}
        path = "/pulls/{}/requested_reviewers"
        ask = partial(self._api.send, "POST", path, pull["number"])
        yield from self._ask_each((one for one in wanted if one not in asked), ask)

    def _close(self, number: int) -> None:
        self._api.send("PATCH", "/pulls/{}", number, state="closed")

    def _comment(self, number: int, text: str) -> None:
        self._api.send("POST", "/issues/{}/comments", number, body=_cut(text))

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        words = {"commit_title": title, "commit_message": message} if method != "rebase" else {}
        path = "/pulls/{}/merge"
        answer = self._api.send("PUT", path, number, sha=head, merge_method=method, **words)
        return str(answer["sha"])

    def _in_the_way(self, pull: GithubObject, status: int, words: str) -> NotMerged | None:
        if status == 409 or "Head branch was modified" in words:
            return NotMerged("head-moved", words)
        if pull["mergeable"] is False:
            return NotMerged("conflict", words)
        if pull["mergeable"] is None or "Base branch was modified" in words:
            return None
        return NotMerged("refused", words)

    def _readiness(self, pull: GithubObject) -> Readiness:
        base = pull["base"]["ref"]
        rules = list(self._api.pages("/rules/branches/{}", base))
        rule = self._rules_of(base, rules)
        checks = self._statuses(pull["head"]["sha"])
        pull = self._settled(pull, lambda pull: pull["mergeable"] is None)
        queue = any(one["type"] == "merge_queue" for one in rules)
        return Readiness(
            mergeable=pull["mergeable"],
            approvals=self._approvers(pull),
            approvals_wanted=rule.approvals,
            checks=checks,
            checks_wanted=rule.checks or (),
            reasons=reasons(pull),
            hands_over=self._hands_over(pull, queue=queue),
            queue_only=queue,
            handed_over=self._handed_over(pull, queue=queue),
        )

    def _hands_over(self, pull: GithubObject, *, queue: bool) -> str | None:
        if queue:
            return f"the merge queue of {pull['base']['ref']}"
        if pull.get("mergeable_state") in _READY:
            return None  # there is nothing to wait for
        return "auto-merge" if self._api.get("").get("allow_auto_merge") else None

    def _handed_over(self, pull: GithubObject, *, queue: bool) -> str | None:
        if queue:
            query = (
                "query($id: ID!) { node(id: $id) { ... on PullRequest "
                "{ mergeQueueEntry { position state } } } }"
            )
            entry = (self._api.graphql(query, id=pull["node_id"]).get("node") or {}).get(
                "mergeQueueEntry"
            )
            if entry:
                place = f"{entry['position']}, {str(entry['state']).lower()}"
                return f"the merge queue of {pull['base']['ref']}: place {place}"
        return "auto-merge" if pull.get("auto_merge") else None

    def _hand_over(
        self, pull: GithubObject, head: str, method: MergeMethod, title: str, message: str
    ) -> None:
        options = {"pullRequestId": pull["node_id"], "expectedHeadOid": head}
        name = "enqueuePullRequest"
        if pull.get("mergeable_state") not in _READY:
            # What is not ready yet goes into the queue when it is.
            name = "enablePullRequestAutoMerge"
            options |= {"commitHeadline": title, "commitBody": message}
            options |= {"mergeMethod": method.upper()}
        kind = name[0].upper() + name[1:] + "Input!"
        query = f"mutation($input: {kind}) {{ {name}(input: $input) {{ clientMutationId }} }}"
        self._api.graphql(query, input=options)

    def _makers(self, pull: GithubObject) -> Iterator[Contribution]:
        for one in self._api.pages("/pulls/{}/commits", pull["number"]):
            for user in (one.get("author"), one.get("committer")):
                if login(user) not in ("", _PAGE_USER):
                    yield Contribution(login(user), one["sha"])
        ref = f"refs/heads/{pull['head']['ref']}"
        # Who may not read it is told that there is no such thing.
        pushes = self._api.find("/activity", hidden=(403,), ref=ref, per_page=100)
        for one in pushes or ():
            if login(one.get("actor")):
                yield Contribution(login(one["actor"]), one["after"], one["before"])

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        statuses = self._api.pages("/commits/{}/status", commit, inside="statuses")
        runs = self._api.pages("/commits/{}/check-runs", commit, inside="check_runs")
        return states(list(statuses), list(runs))

    def _pulls_of(self, commit: str) -> Iterable[Any]:
        return self._api.pages("/commits/{}/pulls", commit)

    def _give_approval(self, number: int, head: str) -> None:
        self._api.send("POST", "/pulls/{}/reviews", number, commit_id=head, event="APPROVE")

    def _approvers(self, pull: GithubObject) -> tuple[str, ...]:
        reviews = self._api.pages("/pulls/{}/reviews", pull["number"])
        return tuple(
            login(review["user"])
            for review in approvals(pull, reviews)
            if counts(self._permission(login(review["user"])), review)
        )

    def _permission(self, who: str) -> Any:
        return self._api.find("/collaborators/{}/permission", who, hidden=(403,))

    def _protection(self, branch: str) -> Protection:
        return self._rules_of(branch, list(self._api.pages("/rules/branches/{}", branch)))

    def _rules_of(self, branch: str, rules: Sequence[GithubObject]) -> Protection:
        public = self._api.find("/branches/{}", branch)
        classic = None
        if public is not None and (public.get("protection") or {}).get("enabled"):
            classic = self._api.find("/branches/{}/protection", branch, hidden=(403,))
        return rule_of(rules, public, classic)

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        name = f"gitops: {branch}"
        with self._as_administrator():
            present = self._own_ruleset(name)
            if present is None:
                rules = _raised([], approvals, checks, last_push=last_push)
                self._api.send("POST", "/rulesets", **_ruleset(name, branch, rules))
            else:
                whole = self._api.get("/rulesets/{}", present["id"])
                found = whole.get("rules") or []
                rules = _raised(found, approvals, checks, last_push=last_push)
                self._api.send("PUT", "/rulesets/{}", present["id"], rules=rules)

    def _restrict(self, pattern: str, without: Sequence[str]) -> str:
        name = f"gitops: {pattern}"
        body = _ruleset(name, pattern, [{"type": kind} for kind in ("creation", "update")])
        body["conditions"]["ref_name"]["exclude"] = [f"refs/heads/{one}" for one in without]
        body["bypass_actors"] = [
            {"actor_id": role, "actor_type": "RepositoryRole", "bypass_mode": "always"}
            for role in _MAINTAINERS
        ]
        with self._as_administrator():
            if self._own_ruleset(name) is None:
                self._api.send("POST", "/rulesets", **body)
        return (
            f"maintainers and administrators, and whoever is on the bypass list of the ruleset "
            f"`{name}`: put the account there that proposes"
        )

    def _own_ruleset(self, name: str) -> Any:
        """Return a ruleset of ours; it stands beside whatever rules there are."""
        rulesets = self._api.pages("/rulesets", includes_parents=False)
        return next((one for one in rulesets if one["name"] == name), None)

    @contextmanager
    def _as_administrator(self) -> Iterator[None]:
        try:
            yield
        except ForgeResponse as error:
            # Who may not administrate is told that there is no such thing.
            if error.status == 404:
                raise self._calls.denied("only administrators set rules") from error
            raise


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_BODY else text[:_LONGEST_BODY] + "\n\n… (cut)"


def _ruleset(name: str, branch: str, rules: Sequence[GithubObject]) -> dict[str, Any]:
    return {
        "name": name,
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": list(rules),
    }


def _raised(
    rules: Sequence[GithubObject], approvals: int, checks: Sequence[str], *, last_push: bool
) -> list[dict[str, Any]]:
    """Return rules that ask for at least so much; what else they say stays."""
    by_type = {rule["type"]: dict(rule.get("parameters") or {}) for rule in rules}
    pulls = {
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
        **by_type.get("pull_request", {}),
    }
    pulls["required_approving_review_count"] = max(
        approvals, int(pulls.get("required_approving_review_count", 0))
    )
    pulls["require_last_push_approval"] = last_push or bool(pulls["require_last_push_approval"])
    by_type["pull_request"] = pulls
    status = {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [],
        **by_type.get("required_status_checks", {}),
    }
    known = [one["context"] for one in status["required_status_checks"]]
    status["required_status_checks"] = [
        *status["required_status_checks"],
        *({"context": name} for name in checks if name not in known),
    ]
    if status["required_status_checks"]:
        by_type["required_status_checks"] = status
    return [{"type": kind, **({"parameters": one} if one else {})} for kind, one in by_type.items()]
