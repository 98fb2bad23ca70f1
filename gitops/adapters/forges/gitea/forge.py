"""`ports.GatedForge` for Gitea and Forgejo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from gitops.adapters.forges.dialect import ForgeDialect
from gitops.adapters.forges.gitea.answers import (
    DRAFT,
    approvals_of,
    protection,
    rule_for,
    seen_from_outside,
    shown,
    spelled_out,
)
from gitops.adapters.forges.gitea.api import GiteaApi, make_client, translated
from gitops.adapters.forges.transport.answers import plain
from gitops.adapters.forges.transport.calls import (
    Calls,
    ForgeResponse,
    NoAnswer,
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
    calls = Calls(address, token, lambda: translated(watchdog), clock, budget)
    client, watchdog = make_client(calls, token, environ)
    return GiteaForge(calls, GiteaApi(calls, client))


class GiteaForge(ForgeDialect):
    """`ports.GatedForge` for a repository on Gitea or Forgejo."""

    refusals = (404, 405, 409, 422)

    def __init__(self, calls: Calls, api: GiteaApi) -> None:
        super().__init__(calls)
        self._api = api

    def _shown(self, pull: Any) -> PullRequest:
        return shown(pull, head=self._api.head_of(pull))

    def _number(self, pull: Any) -> int:
        return int(pull.number)

    def _pull(self, number: int) -> Any:
        return self._api.pull(number)

    def _open_ones(self, branch: str, base: str) -> list[Any]:
        return self._api.open_ones(branch, base)

    def _newest_ended(self, branch: str, base: str) -> Any:
        return self._api.newest_ended(branch, base)

    def _create(self, branch: str, base: str, text: PullText) -> Any:
        title = f"WIP: {text.title}" if text.draft else text.title
        return self._api.do(
            "repo_create_pull_request", head=branch, base=base, title=title, body=text.body
        )

    def _exists(self, error: ForgeResponse) -> bool:
        return error.status == 409

    def _update(self, pull: Any, text: PullText, *, is_opening: bool = False) -> PullRequest:
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
        ask = partial(self._api.do, "repo_create_pull_review_requests", index=pull.number)
        yield from self._ask_each((one for one in wanted if one not in asked), ask)

    def _close(self, number: int) -> None:
        self._api.do("repo_edit_pull_request", index=number, state="closed")

    def _comment(self, number: int, text: str) -> None:
        try:
            self._api.issue("create_comment", index=number, body=text)
        except ForgeResponse as error:
            if error.status == 500:  # said of a number that nobody has, too
                self._api.pull(number)
            raise

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        words = {"merge_title_field": title, "merge_message_field": message}
        options = {"do": method, "head_commit_id": head, **(words if method != "rebase" else {})}
        self._api.do("repo_merge_pull_request", index=number, **options)
        pull = self._api.pull(number)
        if not (pull.merged and pull.merge_commit_sha):
            raise NoAnswer("it says that it merged, and shows no merge")
        return str(pull.merge_commit_sha)

    def _not_yet(self, number: int, said: str | None) -> NotMerged:
        # The same words are said of a conflict, which no waiting cures.
        base = self._api.pull(number).base.ref
        said = said or "it is still being checked"
        return NotMerged("conflict", f"it does not merge with {base} any more ({said})")

    def _says_moved(self, error: ForgeResponse) -> bool:
        return "head out of date" in error.words

    def _in_the_way(self, pull: Any, status: int, words: str) -> NotMerged | None:
        if "not allowed to merge" in words:
            raise self._calls.denied(words)
        if "try again later" in words or "push out of date" in words:
            return None
        if status == 409 and "PushRejected" not in words:
            return NotMerged("conflict", words)
        return NotMerged("refused", words)

    def _readiness(self, pull: Any) -> Readiness:
        rule = self._api.branch(pull.base.ref)
        checks = self._api.statuses(pull.head.sha)
        wanted: list[str] = []
        if rule is not None and rule.protected and rule.enable_status_check:
            wanted = rule.status_check_contexts or []
        # False is said while it is being checked, too.
        pull = self._settled(pull, lambda pull: not (pull.mergeable or pull.draft))
        return Readiness(
            mergeable=bool(pull.mergeable),
            approvals=self._approvers(pull),
            approvals_wanted=approvals_of(rule),
            checks=checks,
            checks_wanted=spelled_out(wanted, checks),
        )

    def _makers(self, pull: Any) -> Iterator[Contribution]:
        for one in self._api.commits(pull.number):
            for user in (one.author, one.committer):
                if user is not None and user.login:
                    yield Contribution(user.login, one.sha)
        for who, commits in self._api.pushes(pull):
            yield from (Contribution(who, commit) for commit in commits)

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        return self._api.statuses(commit)

    def _pulls_of(self, commit: str) -> Iterable[Any]:
        found = self._api.merged_pull(commit)
        return () if found is None else (found,)

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

    def _give_approval(self, number: int, head: str) -> None:
        told = {"commit_id": head, "event": "APPROVED", "body": ""}
        self._api.do("repo_create_pull_review", index=number, **told)

    def _protection(self, branch: str) -> Protection:
        try:
            rules = self._api.ask("repo_list_branch_protection")
        except ForgeResponse as error:
            if error.status not in (403, 404):
                raise
            return seen_from_outside(self._api.branch(branch))
        return protection(rule_for(branch, rules))

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        del last_push  # there is no such rule: stale approvals are the nearest
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
