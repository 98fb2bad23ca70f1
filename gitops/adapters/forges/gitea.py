"""Gitea and Forgejo, through pyforgejo.

What was seen of Gitea 1.25.4 and is relied on: it decides a merge in the order rights, mergeable,
statuses, approvals, head; it says "Please try again later" both while it is still checking and
for a real conflict; `/pulls/BASE/HEAD` gives any pull request of the pair, open or not, so open ones
are listed; an approval counts when it is official, and neither stale nor dismissed.
What was seen of pyforgejo 2.0.7: it loads a `.env` file when it is imported, repeats refused writes
by itself unless told not to, and puts parts of paths into URLs unquoted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, TypeVar
from urllib.parse import quote

from gitops.adapters.forge_calls import LONGEST_REQUEST, Answered, Calls, NoAnswer
from gitops.adapters.tls import ca_file
from gitops.core.forge_address import ForgeAddress
from gitops.core.forge_token import Token
from gitops.errors import NotFound
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

T = TypeVar("T")

_PAGE = 50
_PAGES = 40  # of ended pull requests that are looked through, newest first
_PATIENCE = 5.0  # seconds for the forge to find out whether it merges
_DRAFT = re.compile(r"^\s*(?:WIP:|\[WIP\])\s*", re.IGNORECASE)
_STATES: Mapping[str, CheckState] = {
    "pending": "pending",
    "success": "success",
    "warning": "success",
    "skipped": "success",
    "error": "failure",
    "failure": "failure",
}
_NO_RETRY = {"max_retries": 0}  # the library would repeat a refused write (409), and sleep


def open_gitea(
    address: ForgeAddress, token: Token, clock: Clock, budget: float, environ: Mapping[str, str]
) -> GiteaForge:
    """Return the forge at `address`; nobody is contacted yet.

    Raises NotFound when the library is not installed.
    """
    calls = Calls(address, token, _translated, clock, budget)
    return GiteaForge(calls, _client(address, token, min(LONGEST_REQUEST, budget), environ))


class GiteaForge:
    """`ports.GatedForge` for a repository on Gitea or Forgejo."""

    def __init__(self, calls: Calls, client: Any) -> None:
        self._calls = calls
        self._repository = client.repository
        self._issues = client.issue
        self._owner, self._name = calls.address.repository.split("/")

    def describe(self) -> str:
        """See `ports.Forge`."""
        return self._calls.address.name

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        with self._calls.door():
            found = self._open_ones(branch, base)
            ended = found[0] if found else self._newest_ended(branch, base)
            return None if ended is None else _shown(ended)

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        title = f"WIP: {text.title}" if text.draft else text.title
        with self._calls.door():
            try:
                made = self._do(
                    "repo_create_pull_request", head=branch, base=base, title=title, body=text.body
                )
            except (Answered, NoAnswer) as error:
                lost = isinstance(error, NoAnswer) or error.status >= 500
                if not lost and isinstance(error, Answered) and error.status != 409:
                    raise
                present = self._open_ones(branch, base)
                if not present:
                    raise
                return self._update(present[0], text)
            # Two that come at the same moment can both be made: the older one stays.
            oldest = self._open_ones(branch, base)[0]
            if oldest.number < made.number:
                self._do("repo_edit_pull_request", index=made.number, state="closed")
                return self._update(oldest, text)
            return self._update(made, text)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._update(self._pull(number), text)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            self._issue("create_comment", index=number, body=text)

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        words = {"merge_title_field": title, "merge_message_field": message}
        options = {"do": method, "head_commit_id": head, **(words if method != "rebase" else {})}
        with self._calls.door():
            said = "it is still being checked"
            for _ in self._calls.poll(_PATIENCE):
                try:
                    self._do("repo_merge_pull_request", index=number, **options)
                except (Answered, NoAnswer) as error:
                    ended = self._after_refusal(number, head, error)
                    if ended is not None:
                        return ended
                    said = self._calls.words(getattr(error, "words", said))
                    continue
                return Merged(str(self._pull(number).merge_commit_sha))
            # The same words are said of a conflict, which no waiting cures.
            base = self._pull(number).base.ref
            return NotMerged("conflict", f"it does not merge with {base} any more ({said})")

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            if self._pull(number).state == "open":
                self._do("repo_edit_pull_request", index=number, state="closed")

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        with self._calls.door():
            pull = self._pull(number)
            rule = self._branch(pull.base.ref)
            checks = self._statuses(pull.head.sha)
            wanted: list[str] = []
            if rule is not None and rule.protected and rule.enable_status_check:
                wanted = rule.status_check_contexts or []
            for _ in self._calls.poll(_PATIENCE):
                # False is said while it is being checked, too.
                if pull.mergeable or pull.draft or pull.state != "open":
                    break
                pull = self._pull(number)
            return Readiness(
                mergeable=bool(pull.mergeable),
                approvals=self._approvers(pull),
                approvals_wanted=_approvals_of(rule),
                checks=checks,
                checks_wanted=_spelled_out(wanted, checks),
            )

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._statuses(commit)

    def set_status(self, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            self._do(
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
            try:
                found = self._ask("repo_get_commit_pull_request", sha=commit)
            except Answered as error:
                if error.status == 404:
                    return None
                raise
            ours = found.merged and found.base.ref == base and found.merge_commit_sha == commit
            return _shown(found) if ours else None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._approvers(self._pull(number))

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        with self._calls.door():
            try:
                rules = self._ask("repo_list_branch_protection")
            except Answered as error:
                if error.status not in (403, 404):
                    raise
                return _seen_from_outside(self._branch(branch))
            return _protection(_rule_for(branch, rules))

    def protect(self, branch: str, approvals: int, checks: Sequence[str]) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            rules = self._ask("repo_list_branch_protection")
            present = next((rule for rule in rules if rule.rule_name == branch), None)
            if present is None:
                self._do(
                    "repo_create_branch_protection",
                    rule_name=branch,
                    required_approvals=approvals,
                    enable_status_check=bool(checks),
                    status_check_contexts=list(checks),
                )
                return
            names = list(present.status_check_contexts or []) if present.enable_status_check else []
            missing = [name for name in checks if name not in names]
            self._do(
                "repo_edit_branch_protection",
                name=quote(branch, safe=""),
                required_approvals=max(approvals, present.required_approvals or 0),
                enable_status_check=bool(names or missing),
                status_check_contexts=names + missing,
            )

    # Questions and changes.

    def _ask(self, name: str, **arguments: Any) -> Any:
        return self._calls.read(lambda: self._call(getattr(self._repository, name), arguments))

    def _do(self, name: str, **arguments: Any) -> Any:
        return self._calls.write(lambda: self._call(getattr(self._repository, name), arguments))

    def _issue(self, name: str, **arguments: Any) -> Any:
        return self._calls.write(lambda: self._call(getattr(self._issues, name), arguments))

    def _call(self, method: Callable[..., T], arguments: Mapping[str, Any]) -> T:
        options = {**_NO_RETRY, **arguments.get("request_options", {})}
        place = {"owner": self._owner, "repo": self._name}
        return method(**{**place, **arguments, "request_options": options})

    def _pull(self, number: int) -> Any:
        return self._ask("repo_get_pull_request", index=number)

    def _branch(self, name: str) -> Any:
        """Return a branch with the rules that everybody sees, None when it does not exist."""
        try:
            return self._ask("repo_get_branch", branch=quote(name, safe=""))
        except Answered as error:
            if error.status == 404:
                return None
            raise

    def _open_ones(self, branch: str, base: str) -> list[Any]:
        """Return the open pull requests of the pair, oldest first: there should be one at most."""
        found = [pull for pull in self._listed("open", base) if _is_of(pull, branch, base)]
        return sorted(found, key=lambda pull: pull.number)

    def _newest_ended(self, branch: str, base: str) -> Any:
        try:
            self._ask(
                "repo_get_pull_request_by_base_head",
                base=quote(base, safe=""),
                head=quote(branch, safe="/"),
            )
        except Answered as error:
            if error.status == 404:
                return None
            raise
        ended = self._listed("closed", base)
        return next((pull for pull in ended if _is_of(pull, branch, base)), None)

    def _listed(self, state: str, base: str) -> Iterator[Any]:
        """Yield pull requests, newest first, as far as the caller iterates."""
        for page in range(1, _PAGES + 1):
            pulls = self._ask(
                "repo_list_pull_requests",
                state=state,
                page=page,
                limit=_PAGE,
                # Gitea knows this one, Forgejo passes it over.
                request_options={"additional_query_parameters": {"base_branch": base}},
            )
            yield from pulls
            if not pulls:
                return

    def _update(self, pull: Any, text: PullText) -> PullRequest:
        mark = _DRAFT.match(pull.title) if pull.draft else None
        title = (mark[0] if mark else "") + text.title
        if (pull.title, _plain(pull.body)) != (title, _plain(text.body)):
            pull = self._do(
                "repo_edit_pull_request", index=pull.number, title=title, body=text.body
            )
        messages = [*self._add_labels(pull, text.labels), *self._ask_reviewers(pull, text)]
        return _shown(pull, tuple(messages))

    def _add_labels(self, pull: Any, labels: Sequence[str]) -> Iterator[str]:
        present = {label.name for label in pull.labels or []}
        for name in labels:
            if name in present:
                continue
            try:
                self._issue("add_label", index=pull.number, labels=[self._label(name)])
            except Answered as error:
                if error.status not in (403, 404, 422):
                    raise
                yield f"label {name} could not be put on it: {self._calls.words(error.words)}"

    def _label(self, name: str) -> int:
        """Return the number of a label; one that is not there is made."""
        page = 1
        while True:
            labels = self._issue("list_labels", page=page, limit=_PAGE)
            for label in labels:
                if label.name == name:
                    return int(label.id)
            if not labels:
                return int(self._issue("create_label", name=name, color="#ededed").id)
            page += 1

    def _ask_reviewers(self, pull: Any, text: PullText) -> Iterator[str]:
        asked = {user.login for user in pull.requested_reviewers or []}
        asked |= {f"team:{team.name}" for team in pull.requested_reviewers_teams or []}
        wanted = [one for one in text.reviewers if one not in asked]
        if wanted:
            asked = {r.user.login for r in self._reviews(pull) if r.commit_id == pull.head.sha}
        for one in wanted:
            if one in asked:
                continue
            team = one.removeprefix("team:") if one.startswith("team:") else None
            whom = {"reviewers": [one]} if team is None else {"team_reviewers": [team]}
            try:
                self._do("repo_create_pull_review_requests", index=pull.number, **whom)
            except Answered as error:
                if error.status not in (403, 404, 422):
                    raise
                yield f"{one} could not be asked for a review: {self._calls.words(error.words)}"

    def _reviews(self, pull: Any) -> list[Any]:
        found: list[Any] = []
        for page in range(1, _PAGES + 1):
            more = self._ask("repo_list_pull_reviews", index=pull.number, page=page, limit=_PAGE)
            found += [review for review in more if review.user is not None]
            if not more:
                break
        return found

    def _approvers(self, pull: Any) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                review.user.login
                for review in self._reviews(pull)
                if review.state == "APPROVED"
                and review.official
                and not (review.stale or review.dismissed)
                and review.commit_id == pull.head.sha
                and review.user.login != pull.user.login
            )
        )

    def _statuses(self, commit: str) -> dict[str, CheckState]:
        found: dict[str, CheckState] = {}
        for page in range(1, _PAGES + 1):
            more = self._ask(
                "repo_get_combined_status_by_ref", ref=commit, page=page, limit=_PAGE
            ).statuses
            for one in more or []:
                found.setdefault(one.context, _STATES.get(one.status, "pending"))
            if not more:
                break
        return found

    def _after_refusal(
        self, number: int, head: str, error: Answered | NoAnswer
    ) -> Merged | NotMerged | None:
        """Say how a merge ended that was answered with an error; None: ask again."""
        pull = self._pull(number)
        if pull.merged and pull.head.sha == head:
            return Merged(str(pull.merge_commit_sha))
        if isinstance(error, NoAnswer) or error.status not in (404, 405, 409, 422):
            raise error
        words = self._calls.words(error.words)
        if pull.state != "open":
            return NotMerged("refused", f"it is {'merged' if pull.merged else 'closed'}")
        if pull.head.sha != head or "head out of date" in words:
            return NotMerged("head-moved", f"its head is {pull.head.sha}")
        if "not allowed to merge" in words:
            raise self._calls.denied(words)
        if "try again later" in words or "push out of date" in words:
            return None
        if error.status == 409 and "PushRejected" not in words:
            return NotMerged("conflict", words)
        return NotMerged("refused", words)


def _shown(pull: Any, messages: tuple[str, ...] = ()) -> PullRequest:
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        branch=pull.head.ref,
        base=pull.base.ref,
        head=pull.head.sha,
        state="merged" if pull.merged else "closed" if pull.state == "closed" else "open",
        title=_DRAFT.sub("", pull.title) if pull.draft else pull.title,
        body=_plain(pull.body),
        author=pull.user.login if pull.user is not None else "",
        draft=bool(pull.draft),
        merged_as=pull.merge_commit_sha if pull.merged else None,
        messages=messages,
    )


def _plain(body: str | None) -> str:
    return (body or "").replace("\r\n", "\n").rstrip()


def _is_of(pull: Any, branch: str, base: str) -> bool:
    """Is it of our branch, and not of a fork's with the same name?"""
    same = (pull.head.ref, pull.base.ref) == (branch, base)
    return same and pull.head.repo_id == pull.base.repo_id


def _spelled_out(wanted: Sequence[str], checks: Mapping[str, CheckState]) -> tuple[str, ...]:
    """Replace patterns (`ci/*`) by what was reported for them, if anything was."""
    names: list[str] = []
    for one in wanted:
        names += [name for name in checks if fnmatchcase(name, one)] or [one]
    return tuple(dict.fromkeys(names))


def _approvals_of(branch: Any) -> int | None:
    if branch is None:
        return None
    return int(branch.required_approvals or 0) if branch.protected else 0


def _seen_from_outside(branch: Any) -> Protection:
    """Return what a caller sees who may not read the rules themselves."""
    if branch is None:
        return Protection(protected=None)
    if not branch.protected:
        return Protection(protected=False, approvals=0, checks=(), pushers=("*",))
    checks = branch.status_check_contexts if branch.enable_status_check else []
    return Protection(True, _approvals_of(branch), tuple(checks or ()))


def _rule_for(branch: str, rules: Sequence[Any]) -> Any:
    """Return the rule that counts: the one of that very name, else the first that matches."""
    for rule in rules:
        if rule.rule_name == branch:
            return rule
    ordered = sorted(rules, key=lambda rule: getattr(rule, "priority", 0) or 0)
    return next((rule for rule in ordered if _glob(rule.rule_name).fullmatch(branch)), None)


def _glob(pattern: str) -> re.Pattern[str]:
    """Read a rule's name as Gitea does: `*` inside a part between slashes, `**` across them."""
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def _protection(rule: Any) -> Protection:
    if rule is None:
        return Protection(protected=False, approvals=0, checks=(), pushers=("*",))
    pushers: tuple[str, ...] = ()
    if rule.enable_push:
        teams = (f"team:{name}" for name in rule.push_whitelist_teams or ())
        named = (*(rule.push_whitelist_usernames or ()), *teams)
        pushers = named if rule.enable_push_whitelist else ("*",)
    return Protection(
        protected=True,
        approvals=rule.required_approvals or 0,
        checks=tuple(rule.status_check_contexts or ()) if rule.enable_status_check else (),
        pushers=pushers,
        dismisses_stale=bool(rule.dismiss_stale_approvals or rule.ignore_stale_approvals),
    )


def _client(
    address: ForgeAddress, token: Token, timeout: float, environ: Mapping[str, str]
) -> Any:
    before = dict(os.environ)
    try:
        import httpx
        import pyforgejo
    except ImportError as error:
        raise NotFound(
            f"{address.name} needs a library that is not installed: {error.name}",
            hint="pip install 'gitops-manager[gitea]'",
        ) from error
    finally:
        # A file that lies about must not change what this process does.
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)
    import ssl

    bundle = ca_file(environ)
    client = httpx.Client(
        auth=httpx.BasicAuth(token.user, token.secret) if token.style == "basic" else None,
        verify=ssl.create_default_context(cafile=bundle) if bundle else True,
        timeout=timeout,
        follow_redirects=True,
        event_hooks={"response": [_stay]},
    )
    return pyforgejo.PyforgejoApi(
        base_url=address.api_url, api_key=token.secret, httpx_client=client
    )


def _stay(response: Any) -> None:
    """Follow a renamed repository, but to no other server, and never with another verb."""
    if not response.has_redirect_location:
        return
    before, after = response.request.url, response.request.url.join(response.headers["location"])
    same = (before.scheme, before.host, before.port) == (after.scheme, after.host, after.port)
    keeps = response.request.method == "GET" or response.status_code in (307, 308)
    if not (same and keeps):
        raise Answered(response.status_code, f"it redirects to {after.scheme}://{after.host}")


@contextmanager
def _translated() -> Iterator[None]:
    import httpx
    from pyforgejo.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        status = error.status_code or 0
        if status < 300:
            raise NoAnswer("it answers, but not as Gitea or Forgejo does") from error
        raise Answered(status, _words(error.body), error.headers) from error
    except httpx.TimeoutException as error:
        raise NoAnswer("it took too long", late=True) from error
    except httpx.HTTPError as error:
        raise NoAnswer(str(error)) from error
    except ValueError as error:  # what the library's models do not take
        raise NoAnswer("it answers, but not as Gitea or Forgejo does") from error


def _words(body: object) -> str:
    message = body.get("message") if isinstance(body, dict) else getattr(body, "message", None)
    if isinstance(message, str) and message:
        return message
    return body if isinstance(body, str) and "<" not in body[:200] else "no reason given"
