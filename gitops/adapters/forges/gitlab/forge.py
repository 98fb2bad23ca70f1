"""`ports.GatedForge` for GitLab."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gitops.adapters.forges.dialect import ForgeDialect
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
    users_called,
    words_of,
)
from gitops.adapters.forges.gitlab.api import GitlabApi, make_client, translated
from gitops.adapters.forges.transport.calls import (
    Calls,
    ForgeResponse,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Refused
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
    last: dict[str, str] = {}
    calls = Calls(address, token, lambda: translated(last), clock, budget)
    client = make_client(calls, token, environ, last)
    return GitlabForge(calls, GitlabApi(calls, client))


class GitlabForge(ForgeDialect):
    """`ports.GatedForge` for a project on GitLab."""

    refusals = (400, 405, 406, 409, 422)

    def __init__(self, calls: Calls, api: GitlabApi) -> None:
        super().__init__(calls)
        self._api = api

    def _shown(self, pull: GitlabObject) -> PullRequest:
        return shown(pull)

    def _number(self, pull: GitlabObject) -> int:
        return int(pull["iid"])

    def _pull(self, number: int) -> Any:
        return self._api.get("/merge_requests/{}", number)

    def _open_ones(self, branch: str, base: str) -> list[Any]:
        return sorted(self._listed("opened", branch, base), key=self._number)

    def _newest_ended(self, branch: str, base: str) -> Any:
        return next(self._listed("all", branch, base), None)

    def _listed(self, state: str, branch: str, base: str) -> Iterator[Any]:
        """Yield the merge requests of the pair, newest first."""
        query = {"source_branch": branch, "target_branch": base, "state": state}
        found = self._api.pages("/merge_requests", **query, order_by="created_at", sort="desc")
        return (pull for pull in found if is_of(pull, branch, base))

    def _create(self, branch: str, base: str, text: PullText) -> Any:
        return self._api.post(
            "/merge_requests",
            source_branch=branch,
            target_branch=base,
            title=f"Draft: {text.title}" if text.draft else text.title,
            description=sent(text.body),
        )

    def _exists(self, error: ForgeResponse) -> bool:
        return "already exists" in error.words

    def _update(
        self, pull: GitlabObject, text: PullText, *, is_opening: bool = False
    ) -> PullRequest:
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
        messages: list[str] = []
        asked = self._new_reviewers(pull, text, before.author, messages)
        if asked:
            present = [one["id"] for one in pull.get("reviewers") or ()]
            change["reviewer_ids"] = [*present, *asked.values()]
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

    def _new_reviewers(
        self, pull: GitlabObject, text: PullText, author: str, messages: list[str]
    ) -> dict[str, int]:
        """Return name -> id of who is to be asked; who cannot be is put into `messages`."""
        present = {one["username"] for one in pull.get("reviewers") or ()}
        found: dict[str, int] = {}
        for name in text.reviewers:
            if name in present or name in found:
                continue
            user = None if name.startswith("team:") else self._api.user(name)
            if user is None or name == author:
                why = "is its author" if user is not None else "is no user here"
                messages.append(f"{name} could not be asked for a review: {name} {why}")
                continue
            found[name] = user["id"]
        return found

    def _close(self, number: int) -> None:
        self._api.put("/merge_requests/{}", number, state_event="close")

    def _comment(self, number: int, text: str) -> None:
        self._api.post("/merge_requests/{}/notes", number, body=sent(text))

    def _barred(self, number: int, method: MergeMethod) -> str | None:
        if method != "rebase" or self._project().get("merge_method") == "ff":
            return None
        self._pull(number)
        return (
            "GitLab rebases for the whole project or not at all: set `Fast-forward merge` "
            "in its merge request settings, or another mergeMethod"
        )

    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        words = f"{title}\n\n{message}"
        squash = {"squash": True} if method == "squash" else {}
        pull = self._api.put(
            "/merge_requests/{}/merge",
            number,
            sha=head,
            merge_commit_message=words,
            squash_commit_message=words,
            **squash,
        )
        return landed(pull)

    def _not_yet(self, number: int, said: str | None) -> NotMerged:
        return super()._not_yet(number, None)  # what it says meanwhile is `405 Method Not Allowed`

    def _says_moved(self, error: ForgeResponse) -> bool:
        return error.status == 409

    def _in_the_way(self, pull: GitlabObject, status: int, words: str) -> NotMerged | None:
        now = pull.get("detailed_merge_status")
        if now in UNDECIDED or pull["state"] == "locked":
            return None
        if now in CONFLICTS:
            return NotMerged("conflict", words_of(pull))
        return NotMerged("refused", words if now == "mergeable" else words_of(pull))

    def _readiness(self, pull: GitlabObject) -> Readiness:
        pull = self._settled(pull, lambda pull: pull["detailed_merge_status"] in UNDECIDED)
        status = pull["detailed_merge_status"]
        approvals = self._approvals(pull)
        checks = self._statuses(pull["sha"])
        if pull.get("head_pipeline"):
            checks[PIPELINE] = state_of(pull["head_pipeline"])
        project = self._project()
        wanted = project.get("only_allow_merge_if_pipeline_succeeds")
        train = f"the merge train of {pull['target_branch']}"
        trains = bool(project.get("merge_trains_enabled"))
        fine = status == "mergeable" or status in UNDECIDED
        return Readiness(
            mergeable=None if status in UNDECIDED else status not in CONFLICTS,
            approvals=self._approved_by(pull, approvals),
            approvals_wanted=int(approvals.get("approvals_required") or 0),
            checks=checks,
            checks_wanted=(PIPELINE,) if wanted else (),
            reasons=() if fine or pull["state"] != "opened" else (words_of(pull),),
            hands_over=train if trains else "auto-merge" if wanted else None,
            queue_only=trains,
            handed_over=self._handed_over(pull, train if trains else None),
        )

    def _handed_over(self, pull: GitlabObject, train: str | None) -> str | None:
        if train is not None:
            car = self._api.find("/merge_trains/merge_requests/{}", pull["iid"], hidden=(403,))
            if car is not None and car.get("status") not in (None, "merged", "skip_merged"):
                return f"{train}: {car['status']}"
        return "auto-merge" if pull.get("merge_when_pipeline_succeeds") else None

    def _hand_over(
        self, pull: GitlabObject, head: str, method: MergeMethod, title: str, message: str
    ) -> None:
        number, squash = pull["iid"], {"squash": True} if method == "squash" else {}
        # Older servers know the first name, newer ones the second.
        later = {"when_pipeline_succeeds": True, "auto_merge": True}
        if self._project().get("merge_trains_enabled"):
            path = "/merge_trains/merge_requests/{}"
            self._api.post(path, number, sha=head, **later, **squash)
            return
        words = f"{title}\n\n{message}"
        texts = {"merge_commit_message": words, "squash_commit_message": words}
        later = {"merge_when_pipeline_succeeds": True, "auto_merge": True}
        self._api.put("/merge_requests/{}/merge", number, sha=head, **later, **texts, **squash)

    def _makers(self, pull: GitlabObject) -> Iterator[Contribution]:
        known = [one["user"] for one in self._approvals(pull).get("approved_by") or ()]
        for one in self._api.pages("/merge_requests/{}/commits", pull["iid"]):
            for role in ("author", "committer"):
                name, email = one.get(f"{role}_name") or "", one.get(f"{role}_email") or ""
                for who in (*users_called(known, name, email), email or name):
                    yield Contribution(who, one["id"])
        # Who is no member is not told.
        events = self._api.find("/events", hidden=(401, 403), action="pushed", per_page=100)
        for one in events or ():
            push = one.get("push_data") or {}
            is_ours = (push.get("ref_type"), push.get("ref")) == ("branch", pull["source_branch"])
            if is_ours and push.get("commit_to"):
                before = push.get("commit_from")
                yield Contribution(one["author_username"], push["commit_to"], before)

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        found = self._api.pages("/repository/commits/{}/statuses", commit)
        return {one["name"]: state_of(one) for one in sorted(found, key=lambda one: int(one["id"]))}

    def _pulls_of(self, commit: str) -> Iterable[Any]:
        return self._api.pages("/repository/commits/{}/merge_requests", commit)

    def _approvals(self, pull: GitlabObject) -> Any:
        return self._api.get("/merge_requests/{}/approvals", pull["iid"])

    def _give_approval(self, number: int, head: str) -> None:
        self._api.post("/merge_requests/{}/approve", number, sha=head)

    def _approvers(self, pull: GitlabObject) -> tuple[str, ...]:
        return self._approved_by(pull, self._approvals(pull))

    def _approved_by(self, pull: GitlabObject, approvals: GitlabObject) -> tuple[str, ...]:
        if not approvals.get("approved_by"):
            return ()
        heads = list(self._api.pages("/merge_requests/{}/versions", pull["iid"]))
        return approved_by(pull, approvals, heads)

    def _project(self) -> Any:
        return self._api.get("")

    def _approval_rules(self) -> list[Any] | None:
        found = self._api.find("/approval_rules", hidden=(401, 403), per_page=100)
        return None if found is None else list(found)

    def _protection(self, branch: str) -> Protection:
        project = self._project()
        approval_rules = self._approval_rules()
        settings = self._api.find("/approvals", hidden=(401, 403))
        resets = None if settings is None else settings.get("reset_approvals_on_push")
        apart = (settings or {}).get("merge_requests_disable_committers_approval")
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
        found = rule_of(matching(rules, branch), branch, project, approval_rules, resets)
        return replace(found, last_push=apart)

    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None:
        # Approvals and pipelines are asked for in the whole project.
        rules = list(self._api.pages("/protected_branches"))
        if not any(rule["name"] == branch for rule in rules):
            self._api.post("/protected_branches", name=branch, push_access_level=0)
        if checks:
            self._api.put("", only_allow_merge_if_pipeline_succeeds=True)
        if last_push:
            self._api.post("/approvals", merge_requests_disable_committers_approval=True)
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
