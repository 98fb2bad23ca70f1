"""`ports.GatedForge` for Gitea and Forgejo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from gitops.adapters.forges.gitea.answers import (
    DRAFT,
    approvals_of,
    plain,
    protection,
    rule_for,
    seen_from_outside,
    shown,
    spelled_out,
)
from gitops.adapters.forges.gitea.api import GiteaApi, make_client, translated
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


def open_gitea(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GiteaForge:
    """Return the forge at `address`; nobody is contacted yet.

    Raises NotFound when the library is not installed.
    """
    client = make_client(address, token, min(LONGEST_REQUEST, budget), environ)
    calls = Calls(address, token, translated, clock, budget)
    return GiteaForge(calls, GiteaApi(calls, client))


class GiteaForge:
    """`ports.GatedForge` for a repository on Gitea or Forgejo."""

    def __init__(self, calls: Calls, api: GiteaApi) -> None:
        self._calls = calls
        self._api = api

    def describe(self) -> str:
        """See `ports.Forge`."""
        return self._calls.address.name

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        with self._calls.door():
            found = self._api.open_ones(branch, base)
            if found:
                return shown(found[0])
            ended = self._api.newest_ended(branch, base)
            return None if ended is None else shown(ended, head=self._api.head_of(ended))

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        title = f"WIP: {text.title}" if text.draft else text.title
        with self._calls.door():
            try:
                made = self._api.do(
                    "repo_create_pull_request", head=branch, base=base, title=title, body=text.body
                )
            except (ForgeResponse, NoAnswer) as error:
                exists = isinstance(error, ForgeResponse) and error.status == 409
                if isinstance(error, ForgeResponse) and error.status < 500 and not exists:
                    raise
                present = self._api.open_ones(branch, base)
                if not present:
                    raise
                return self._update(present[0], text)
            # Two that come at the same moment can both be made: the older one stays.
            oldest = next(iter(self._api.open_ones(branch, base)), made)
            if oldest.number < made.number:
                self._api.do("repo_edit_pull_request", index=made.number, state="closed")
                return self._update(oldest, text)
            return self._update(made, text)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._update(self._api.pull(number), text)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            try:
                self._api.issue("create_comment", index=number, body=text)
            except ForgeResponse as error:
                if error.status == 500:  # said of a number that nobody has, too
                    self._api.pull(number)
                raise

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        words = {"merge_title_field": title, "merge_message_field": message}
        options = {"do": method, "head_commit_id": head, **(words if method != "rebase" else {})}
        with self._calls.door():
            said = "it is still being checked"
            for _ in self._calls.poll(PATIENCE):
                try:
                    self._api.do("repo_merge_pull_request", index=number, **options)
                except (ForgeResponse, NoAnswer) as error:
                    ended = self._after_refusal(number, head, error)
                    if ended is not None:
                        return ended
                    said = self._calls.words(error.words)
                    continue
                pull = self._api.pull(number)
                if pull.merged and pull.merge_commit_sha:
                    return Merged(pull.merge_commit_sha)
                raise NoAnswer("it says that it merged, and shows no merge")
            # The same words are said of a conflict, which no waiting cures.
            base = self._api.pull(number).base.ref
            return NotMerged("conflict", f"it does not merge with {base} any more ({said})")

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            if self._api.pull(number).state == "open":
                self._api.do("repo_edit_pull_request", index=number, state="closed")

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        with self._calls.door():
            pull = self._api.pull(number)
            rule = self._api.branch(pull.base.ref)
            checks = self._api.statuses(pull.head.sha)
            wanted: list[str] = []
            if rule is not None and rule.protected and rule.enable_status_check:
                wanted = rule.status_check_contexts or []
            for _ in self._calls.poll(PATIENCE):
                # False is said while it is being checked, too.
                if pull.mergeable or pull.draft or pull.state != "open":
                    break
                pull = self._api.pull(number)
            return Readiness(
                mergeable=bool(pull.mergeable),
                approvals=self._approvers(pull),
                approvals_wanted=approvals_of(rule),
                checks=checks,
                checks_wanted=spelled_out(wanted, checks),
            )

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._api.statuses(commit)

    def set_status(self, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            self._api.do(
                "repo_create_status",
                sha=commit,
                context=name,
                state=state,
                description=text[:140],
                target_url=url,
            )

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        with self._calls.door():
            found = self._api.merged_pull(commit)
            if found is None:
                return None
            ours = found.merged and found.base.ref == base and found.merge_commit_sha == commit
            return shown(found, head=self._api.head_of(found)) if ours else None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._approvers(self._api.pull(number))

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        with self._calls.door():
            try:
                rules = self._api.ask("repo_list_branch_protection")
            except ForgeResponse as error:
                if error.status not in (403, 404):
                    raise
                return seen_from_outside(self._api.branch(branch))
            return protection(rule_for(branch, rules))

    def protect(self, branch: str, approvals: int, checks: Sequence[str]) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            rules = self._api.ask("repo_list_branch_protection")
            present = next((rule for rule in rules if rule.rule_name == branch), None)
            if present is None:
                self._api.do(
                    "repo_create_branch_protection",
                    rule_name=branch,
                    required_approvals=approvals,
                    enable_status_check=bool(checks),
                    status_check_contexts=list(checks),
                )
                return
            names = list(present.status_check_contexts or []) if present.enable_status_check else []
            missing = [name for name in checks if name not in names]
            self._api.do(
                "repo_edit_branch_protection",
                name=quote(branch, safe=""),
                required_approvals=max(approvals, present.required_approvals or 0),
                enable_status_check=bool(names or missing),
                status_check_contexts=names + missing,
            )

    def _update(self, pull: Any, text: PullText) -> PullRequest:
        mark = DRAFT.match(pull.title) if pull.draft else None
        title = (mark[0] if mark else "") + text.title
        if (pull.title, plain(pull.body)) != (title, plain(text.body)):
            pull = self._api.do(
                "repo_edit_pull_request", index=pull.number, title=title, body=text.body
            )
        messages = [*self._add_labels(pull, text.labels), *self._ask_reviewers(pull, text)]
        return shown(pull, tuple(messages))

    def _add_labels(self, pull: Any, labels: Sequence[str]) -> Iterator[str]:
        present = {label.name for label in pull.labels or []}
        for name in labels:
            if name not in present:
                yield from self._calls.courtesy(
                    f"label {name} could not be put on it", partial(self._add_label, pull, name)
                )

    def _add_label(self, pull: Any, name: str) -> None:
        self._api.issue("add_label", index=pull.number, labels=[self._api.label(name)])

    def _ask_reviewers(self, pull: Any, text: PullText) -> Iterator[str]:
        asked = {user.login for user in pull.requested_reviewers or []}
        asked |= {f"team:{team.name}" for team in pull.requested_reviewers_teams or []}
        wanted = [one for one in text.reviewers if one not in asked]
        if wanted:
            asked = {
                r.user.login for r in self._api.reviews(pull.number) if r.commit_id == pull.head.sha
            }
        for one in wanted:
            if one in asked:
                continue
            team = one.removeprefix("team:") if one.startswith("team:") else None
            whom = {"reviewers": [one]} if team is None else {"team_reviewers": [team]}
            yield from self._calls.courtesy(
                f"{one} could not be asked for a review",
                partial(
                    self._api.do, "repo_create_pull_review_requests", index=pull.number, **whom
                ),
            )

    def _approvers(self, pull: Any) -> tuple[str, ...]:
        head = self._api.head_of(pull)
        return tuple(
            dict.fromkeys(
                review.user.login
                for review in self._api.reviews(pull.number)
                if review.state == "APPROVED"
                and review.official
                and not (review.stale or review.dismissed)
                and review.commit_id == head
                and review.user.login != pull.user.login
            )
        )

    def _after_refusal(
        self, number: int, head: str, error: ForgeResponse | NoAnswer
    ) -> Merged | NotMerged | None:
        """Say how a merge ended that was answered with an error; None: ask again."""
        pull = self._api.pull(number)
        now = self._api.head_of(pull)
        if pull.merged and now == head:
            return Merged(str(pull.merge_commit_sha))
        if isinstance(error, NoAnswer) or error.status not in (404, 405, 409, 422):
            raise error
        words = self._calls.words(error.words)
        if pull.state != "open":
            how = f"merged already, with head {now}" if pull.merged else "closed"
            return NotMerged("refused", f"it is {how}")
        if now != head or "head out of date" in words:
            return NotMerged("head-moved", f"its head is {now}")
        if "not allowed to merge" in words:
            raise self._calls.denied(words)
        if "try again later" in words or "push out of date" in words:
            return None
        if error.status == 409 and "PushRejected" not in words:
            return NotMerged("conflict", words)
        return NotMerged("refused", words)
