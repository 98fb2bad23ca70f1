"""`ports.GatedForge` for GitLab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitops.adapters.forges.gitlab.answers import (
    CONFLICTS,
    DRAFT,
    PIPELINE,
    UNDECIDED,
    GitlabObject,
    approved_by,
    is_of,
    landed,
    matching,
    plain,
    rule_of,
    sent,
    shown,
    state_of,
    words_of,
)
from gitops.adapters.forges.gitlab.api import GitlabApi, make_client
from gitops.adapters.forges.transport.calls import (
    LONGEST_REQUEST,
    PATIENCE,
    Calls,
    ForgeResponse,
    NoAnswer,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Refused
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

_STATES = {"pending": "pending", "success": "success", "failure": "failed"}


def open_gitlab(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GitlabForge:
    """Return the forge at `address`; nobody is contacted yet.

    Raises NotFound when the library is not installed.
    """
    client, translated = make_client(address, token, min(LONGEST_REQUEST, budget), environ)
    calls = Calls(address, token, translated, clock, budget)
    return GitlabForge(calls, GitlabApi(calls, client))


class GitlabForge:
    """`ports.GatedForge` for a project on GitLab."""

    def __init__(self, calls: Calls, api: GitlabApi) -> None:
        self._calls = calls
        self._api = api

    def describe(self) -> str:
        """See `ports.Forge`."""
        return self._calls.address.name

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        with self._calls.door():
            found = self._open_ones(branch, base)
            if found:
                return shown(found[0])
            ended = next(self._listed("all", branch, base), None)
            return None if ended is None else shown(ended)

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        title = f"Draft: {text.title}" if text.draft else text.title
        with self._calls.door():
            try:
                made = self._api.post(
                    "/merge_requests",
                    source_branch=branch,
                    target_branch=base,
                    title=title,
                    description=sent(text.body),
                )
            except (ForgeResponse, NoAnswer) as error:
                refused = isinstance(error, ForgeResponse) and error.status < 500
                if refused and "already exists" not in error.words:
                    raise
                present = self._open_ones(branch, base)
                if not present:
                    raise
                return self._update(present[0], text)
            # Two that come at the same moment can both be made: the older one stays.
            oldest = next(iter(self._open_ones(branch, base)), made)
            if oldest["iid"] < made["iid"]:
                self._api.put("/merge_requests/{}", made["iid"], state_event="close")
                return self._update(oldest, text)
            return self._update(made, text)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._update(self._pull(number), text)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            self._api.post("/merge_requests/{}/notes", number, body=sent(text))

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`. Rebase is what the whole project does, or does not."""
        with self._calls.door():
            if method == "rebase" and not self._rebases():
                self._pull(number)
                return NotMerged(
                    "refused",
                    "GitLab rebases for the whole project or not at all: set `Fast-forward merge` "
                    "in its merge request settings, or another mergeMethod",
                )
            words = f"{title}\n\n{message}"
            options = {"merge_commit_message": words, "squash_commit_message": words}
            if method == "squash":
                options["squash"] = True  # type: ignore[assignment]
            said = "GitLab is still finding out whether it merges"
            for _ in self._calls.poll(PATIENCE):
                try:
                    pull = self._api.put("/merge_requests/{}/merge", number, sha=head, **options)
                except (ForgeResponse, NoAnswer) as error:
                    ended = self._after_refusal(number, head, error)
                    if ended is not None:
                        return ended
                    continue
                commit = landed(pull)
                if commit is not None:
                    return Merged(commit)
            return NotMerged("not-yet", said)

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            if self._pull(number)["state"] == "opened":
                self._api.put("/merge_requests/{}", number, state_event="close")

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        with self._calls.door():
            pull = self._pull(number)
            for _ in self._calls.poll(PATIENCE):
                if pull["detailed_merge_status"] not in UNDECIDED or pull["state"] != "opened":
                    break
                pull = self._pull(number)
            status = pull["detailed_merge_status"]
            approvals = self._api.get("/merge_requests/{}/approvals", number)
            checks = self._statuses(pull["sha"])
            if pull.get("head_pipeline"):
                checks[PIPELINE] = state_of(pull["head_pipeline"])
            wanted = self._project().get("only_allow_merge_if_pipeline_succeeds")
            fine = status == "mergeable" or status in UNDECIDED
            return Readiness(
                mergeable=None if status in UNDECIDED else status not in CONFLICTS,
                approvals=self._approvers(pull, approvals),
                approvals_wanted=int(approvals.get("approvals_required") or 0),
                checks=checks,
                checks_wanted=(PIPELINE,) if wanted else (),
                reasons=() if fine or pull["state"] != "opened" else (words_of(pull),),
            )

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._statuses(commit)

    def set_status(self, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
        """See `ports.Gates`."""
        body = {"name": name, "description": text[:140], "target_url": url}
        with self._calls.door():
            try:
                self._api.post("/statuses/{}", commit, state=_STATES[state], **body)
            except ForgeResponse as error:
                # What is so already cannot become so.
                same = error.status == 400 and "transition" in error.words
                if not (same and self._statuses(commit).get(name) == state):
                    raise

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        with self._calls.door():
            for pull in self._api.pages("/repository/commits/{}/merge_requests", commit):
                if pull["target_branch"] == base and landed(pull) == commit:
                    return shown(pull)
            return None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        with self._calls.door():
            pull = self._pull(number)
            approvals = self._api.get("/merge_requests/{}/approvals", number)
            return self._approvers(pull, approvals)

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        with self._calls.door():
            project = self._project()
            approval_rules = self._approval_rules()
            settings = self._api.find("/approvals", hidden=(401, 403))
            resets = None if settings is None else settings.get("reset_approvals_on_push")
            try:
                rules = list(self._api.pages("/protected_branches"))
            except ForgeResponse as error:
                if error.status not in (401, 403):
                    raise
                public = self._api.find("/repository/branches/{}", branch)
                if public is None:
                    return Protection(protected=None)
                rule = {"name": branch} if public["protected"] else None
                seen = rule_of(rule, branch, project, approval_rules, resets)
                return Protection(seen.protected, seen.approvals, seen.checks)
            return rule_of(matching(rules, branch), branch, project, approval_rules, resets)

    def protect(self, branch: str, approvals: int, checks: Sequence[str]) -> None:
        """See `ports.Gates`. Approvals and pipelines are asked for in the whole project."""
        with self._calls.door():
            rules = list(self._api.pages("/protected_branches"))
            if not any(rule["name"] == branch for rule in rules):
                self._api.post("/protected_branches", name=branch, push_access_level=0)
            if checks:
                self._api.put("", only_allow_merge_if_pipeline_succeeds=True)
            if not approvals:
                return
            known = self._approval_rules()
            if known is None:
                raise Refused(
                    f"{self.describe()} asks nobody for approvals: its edition has no such rules",
                    hint="GitLab Premium has; or let `approvals` be advised in gitops.yaml",
                )
            present = next((one for one in known if one["rule_type"] == "any_approver"), None)
            if present is None:
                self._api.post(
                    "/approval_rules",
                    name="All Members",
                    rule_type="any_approver",
                    approvals_required=approvals,
                )
            elif present["approvals_required"] < approvals:
                self._api.put("/approval_rules/{}", present["id"], approvals_required=approvals)

    def _pull(self, number: int) -> Any:
        return self._api.get("/merge_requests/{}", number)

    def _project(self) -> Any:
        return self._api.get("")

    def _rebases(self) -> bool:
        return bool(self._project().get("merge_method") == "ff")

    def _approval_rules(self) -> list[Any] | None:
        found = self._api.find("/approval_rules", hidden=(401, 403), per_page=100)
        return None if found is None else list(found)

    def _open_ones(self, branch: str, base: str) -> list[Any]:
        """Return the open ones of the pair, oldest first: there should be one at most."""
        return sorted(self._listed("opened", branch, base), key=lambda pull: int(pull["iid"]))

    def _listed(self, state: str, branch: str, base: str) -> Iterator[Any]:
        """Yield the merge requests of the pair, newest first."""
        query = {"source_branch": branch, "target_branch": base, "state": state}
        found = self._api.pages("/merge_requests", **query, order_by="created_at", sort="desc")
        return (pull for pull in found if is_of(pull, branch, base))

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        found = self._api.pages("/repository/commits/{}/statuses", commit)
        return {one["name"]: state_of(one) for one in sorted(found, key=lambda one: int(one["id"]))}

    def _approvers(self, pull: GitlabObject, approvals: GitlabObject) -> tuple[str, ...]:
        if not approvals.get("approved_by"):
            return ()
        heads = list(self._api.pages("/merge_requests/{}/versions", pull["iid"]))
        return approved_by(pull, approvals, heads)

    def _update(self, pull: GitlabObject, text: PullText) -> PullRequest:
        number, before = pull["iid"], shown(pull)
        change: dict[str, Any] = {}
        if before.title != text.title:
            mark = DRAFT.match(pull["title"]) if before.draft else None
            change["title"] = (mark[0] if mark else "") + text.title
        if before.body != plain(sent(text.body)):
            change["description"] = sent(text.body)
        labels = [one for one in text.labels if one not in pull["labels"]]
        if labels:
            change["add_labels"] = ",".join(labels)
        reviewers = {one["username"]: one["id"] for one in pull.get("reviewers") or ()}
        messages = []
        asked: list[str] = []
        for name in text.reviewers:
            if name in reviewers:
                continue
            user = None if name.startswith("team:") else self._api.user(name)
            if user is None or name == before.author:
                why = "is its author" if user is not None else "is no user here"
                messages.append(f"{name} could not be asked for a review: {name} {why}")
                continue
            reviewers[name] = user["id"]
            asked.append(name)
        if asked:
            change["reviewer_ids"] = list(reviewers.values())
        if change:
            pull = self._api.put("/merge_requests/{}", number, **change)
        taken = {one["username"] for one in pull.get("reviewers") or ()}
        for name in asked:
            if name not in taken:
                messages.append(
                    f"{name} could not be asked for a review: not a member, or this edition takes "
                    "one reviewer only"
                )
        return shown(pull, tuple(messages))

    def _after_refusal(
        self, number: int, head: str, error: ForgeResponse | NoAnswer
    ) -> Merged | NotMerged | None:
        """Say how a merge ended that was answered with an error; None: ask again."""
        pull = self._pull(number)
        commit = landed(pull)
        if commit is not None and pull["sha"] == head:
            return Merged(commit)
        if isinstance(error, NoAnswer) or error.status not in (400, 405, 406, 409, 422):
            raise error
        if pull["state"] not in ("opened", "locked"):
            merged = f"merged already, with head {pull['sha']}"
            return NotMerged("refused", f"it is {merged if commit is not None else 'closed'}")
        if pull["sha"] != head or error.status == 409:
            return NotMerged("head-moved", f"its head is {pull['sha']}")
        status = pull.get("detailed_merge_status")
        if status in UNDECIDED or pull["state"] == "locked":
            return None
        if status in CONFLICTS:
            return NotMerged("conflict", words_of(pull))
        words = self._calls.words(error.words)
        return NotMerged("refused", words if status == "mergeable" else words_of(pull))
