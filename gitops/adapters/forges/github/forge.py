"""`ports.GatedForge` for GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gitops.adapters.forges.github.answers import (
    GithubObject,
    approvals,
    counts,
    is_of,
    login,
    plain,
    reasons,
    rule_of,
    shown,
    states,
)
from gitops.adapters.forges.github.api import GithubApi, make_requester, translated
from gitops.adapters.forges.transport.calls import (
    LONGEST_REQUEST,
    PATIENCE,
    Calls,
    ForgeResponse,
    NoAnswer,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import (
    CheckState,
    Clock,
    Merged,
    MergeMethod,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
)

_LONGEST_BODY = 65_000  # characters; GitHub takes 65,536


def open_github(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GithubForge:
    """Return the forge at `address`; nobody is contacted yet.

    Raises NotFound when the library is not installed.
    """
    requester = make_requester(address, token, min(LONGEST_REQUEST, budget), environ)
    calls = Calls(address, token, translated, clock, budget)
    return GithubForge(calls, GithubApi(calls, requester))


class GithubForge:
    """`ports.GatedForge` for a repository on GitHub."""

    def __init__(self, calls: Calls, api: GithubApi) -> None:
        self._calls = calls
        self._api = api

    def describe(self) -> str:
        """See `ports.Forge`."""
        return self._calls.address.name

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        with self._calls.door():
            found = self._listed("open", branch, base) or self._listed("closed", branch, base)
            return shown(found) if found is not None else None

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            try:
                made = self._create(branch, base, text)
            except (ForgeResponse, NoAnswer) as error:
                refused = isinstance(error, ForgeResponse) and error.status < 500
                if refused and "already exists" not in error.words:
                    raise
                present = self._listed("open", branch, base)
                if present is None:
                    raise
                made = present
            return self._update(made, text, asked_for_draft=text.draft)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._update(self._pull(number), text)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            self._api.send("POST", "/issues/{}/comments", number, body=_cut(text))

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        words = {"commit_title": title, "commit_message": message} if method != "rebase" else {}
        with self._calls.door():
            said = "GitHub is still finding out whether it merges"
            for _ in self._calls.poll(PATIENCE):
                try:
                    answer = self._api.send(
                        "PUT", "/pulls/{}/merge", number, sha=head, merge_method=method, **words
                    )
                except (ForgeResponse, NoAnswer) as error:
                    ended = self._after_refusal(number, head, error)
                    if ended is not None:
                        return ended
                    said = self._calls.words(error.words)
                    continue
                return Merged(answer["sha"])
            return NotMerged("not-yet", said)

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            if self._pull(number)["state"] == "open":
                self._api.send("PATCH", "/pulls/{}", number, state="closed")

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        with self._calls.door():
            pull = self._pull(number)
            rule = self._rule(pull["base"]["ref"])
            checks = self._states(pull["head"]["sha"])
            for _ in self._calls.poll(PATIENCE):
                if pull["mergeable"] is not None or pull["state"] != "open":
                    break
                pull = self._pull(number)
            return Readiness(
                mergeable=pull["mergeable"],
                approvals=self._approvers(pull),
                approvals_wanted=rule.approvals,
                checks=checks,
                checks_wanted=rule.checks or (),
                reasons=reasons(pull),
            )

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._states(commit)

    def set_status(self, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            body = {"context": name, "description": text[:140], "target_url": url}
            self._api.send("POST", "/statuses/{}", commit, state=state, **body)

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        with self._calls.door():
            for pull in self._api.pages("/commits/{}/pulls", commit):
                same = (pull["base"]["ref"], pull["merge_commit_sha"]) == (base, commit)
                if same and pull["merged_at"] is not None:
                    return shown(pull)
            return None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._approvers(self._pull(number))

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._rule(branch)

    def protect(self, branch: str, approvals: int, checks: Sequence[str]) -> None:
        """See `ports.Gates`. It is a ruleset of our own, beside whatever rules there are."""
        name = f"gitops: {branch}"
        with self._calls.door():
            try:
                rulesets = list(self._api.pages("/rulesets", includes_parents=False))
                present = next((one for one in rulesets if one["name"] == name), None)
                if present is None:
                    body = {**_ruleset(branch, approvals, checks), "name": name}
                    self._api.send("POST", "/rulesets", **body)
                else:
                    whole = self._api.get("/rulesets/{}", present["id"])
                    rules = _raised(whole.get("rules") or [], approvals, checks)
                    self._api.send("PUT", "/rulesets/{}", present["id"], rules=rules)
            except ForgeResponse as error:
                # Who may not administrate is told that there is no such thing.
                if error.status == 404:
                    raise self._calls.denied("only administrators set rules") from error
                raise

    def _pull(self, number: int) -> Any:
        return self._api.get("/pulls/{}", number)

    def _listed(self, state: str, branch: str, base: str) -> Any:
        """Return the newest pull request of the pair in a state, None without one."""
        owner = self._calls.address.repository.partition("/")[0]
        query = {"head": f"{owner}:{branch}", "base": base, "state": state}
        found = self._api.pages("/pulls", **query, sort="created", direction="desc")
        # A name without its owner would be passed over, so this looks again.
        return next((pull for pull in found if is_of(pull, branch, base)), None)

    def _create(self, branch: str, base: str, text: PullText) -> Any:
        words = {"title": text.title, "body": _cut(text.body), "head": branch, "base": base}
        try:
            return self._api.send("POST", "/pulls", **words, draft=text.draft)
        except ForgeResponse as error:
            if not (text.draft and error.status == 422 and "raft" in error.words):
                raise
        # Not every plan has drafts.
        return self._api.send("POST", "/pulls", **words)

    def _update(
        self, pull: GithubObject, text: PullText, *, asked_for_draft: bool = False
    ) -> PullRequest:
        number, body = pull["number"], _cut(text.body)
        if (pull["title"], plain(pull.get("body"))) != (text.title, plain(body)):
            pull = self._api.send("PATCH", "/pulls/{}", number, title=text.title, body=body)
        present = {label["name"] for label in pull["labels"]}
        labels = [label for label in text.labels if label not in present]
        messages = [*self._add_labels(number, labels), *self._ask_reviewers(pull, text.reviewers)]
        if asked_for_draft and not pull.get("draft"):
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
        for one in wanted:
            if one in asked:
                continue
            team = one.removeprefix("team:") if one.startswith("team:") else None
            whom = {"reviewers": [one]} if team is None else {"team_reviewers": [team]}
            path = "/pulls/{}/requested_reviewers"
            yield from self._calls.courtesy(
                f"{one} could not be asked for a review",
                partial(self._api.send, "POST", path, pull["number"], **whom),
            )

    def _approvers(self, pull: GithubObject) -> tuple[str, ...]:
        reviews = self._api.pages("/pulls/{}/reviews", pull["number"])
        return tuple(
            login(review["user"])
            for review in approvals(pull, reviews)
            if counts(self._permission(login(review["user"])), review)
        )

    def _permission(self, who: str) -> Any:
        return self._api.find("/collaborators/{}/permission", who, hidden=(403,))

    def _states(self, commit: str) -> dict[str, CheckState]:
        statuses = self._api.pages("/commits/{}/status", commit, inside="statuses")
        runs = self._api.pages("/commits/{}/check-runs", commit, inside="check_runs")
        return states(list(statuses), list(runs))

    def _rule(self, branch: str) -> Protection:
        rules = list(self._api.pages("/rules/branches/{}", branch))
        public = self._api.find("/branches/{}", branch)
        classic = None
        if public is not None and (public.get("protection") or {}).get("enabled"):
            classic = self._api.find("/branches/{}/protection", branch, hidden=(403,))
        return rule_of(rules, public, classic)

    def _after_refusal(
        self, number: int, head: str, error: ForgeResponse | NoAnswer
    ) -> Merged | NotMerged | None:
        """Say how a merge ended that was answered with an error; None: ask again."""
        pull = self._pull(number)
        if pull["merged"] and pull["head"]["sha"] == head:
            return Merged(pull["merge_commit_sha"])
        if isinstance(error, NoAnswer) or error.status not in (405, 409, 422):
            raise error
        words = self._calls.words(error.words)
        if pull["state"] != "open":
            merged = f"merged already, with head {pull['head']['sha']}"
            return NotMerged("refused", f"it is {merged if pull['merged'] else 'closed'}")
        if pull["head"]["sha"] != head:
            return NotMerged("head-moved", f"its head is {pull['head']['sha']}")
        if error.status == 409 or "Head branch was modified" in words:
            return NotMerged("head-moved", words)
        if pull["mergeable"] is False:
            return NotMerged("conflict", words)
        if pull["mergeable"] is None or "Base branch was modified" in words:
            return None
        return NotMerged("refused", words)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_BODY else text[:_LONGEST_BODY] + "\n\n… (cut)"


def _ruleset(branch: str, approvals: int, checks: Sequence[str]) -> dict[str, Any]:
    return {
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": _raised([], approvals, checks),
    }


def _raised(
    rules: Sequence[GithubObject], approvals: int, checks: Sequence[str]
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
