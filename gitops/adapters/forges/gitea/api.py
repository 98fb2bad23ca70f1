"""The one door to pyforgejo: its client, its errors, and what is asked of it in several places."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from gitops.adapters.forges.gitea.answers import STATES, branch_of, is_of, pushed
from gitops.adapters.forges.transport.calls import (
    PATIENCE,
    Calls,
    ForgeResponse,
    NoAnswer,
    no_library,
)
from gitops.adapters.http.tls import ca_file
from gitops.core.forges.token import ForgeToken
from gitops.ports import CheckState

if TYPE_CHECKING:
    from gitops.adapters.http.clients import Watchdog

T = TypeVar("T")

_PAGE = 50
_PAGES = 40  # of ended pull requests that are looked through, newest first
_NO_RETRY = {"max_retries": 0}  # the library would repeat a refused write (409), and sleep


class GiteaApi:
    """The library for one repository; everything may raise Answered and NoAnswer."""

    def __init__(self, calls: Calls, client: Any) -> None:
        self._calls = calls
        self._repository = client.repository
        self._issues = client.issue
        self._owner, self._name = calls.address.repository.split("/")

    def ask(self, method: str, /, **arguments: Any) -> Any:
        """Ask the repository something that changes nothing."""
        return self._calls.read(lambda: self._call(getattr(self._repository, method), arguments))

    def do(self, method: str, /, **arguments: Any) -> Any:
        """Change something of the repository, once."""
        return self._calls.write(lambda: self._call(getattr(self._repository, method), arguments))

    def issue(self, method: str, /, **arguments: Any) -> Any:
        """Call what belongs to issues, once."""
        return self._calls.write(lambda: self._call(getattr(self._issues, method), arguments))

    def pull(self, number: int) -> Any:
        """Return a pull request."""
        return self.ask("repo_get_pull_request", index=number)

    def branch(self, name: str) -> Any:
        """Return a branch with the rules that everybody sees, None when it does not exist."""
        return self._unless_missing("repo_get_branch", branch=quote(name, safe=""))

    def merged_pull(self, commit: str) -> Any:
        """Return the pull request whose merge made `commit`, None when none did."""
        return self._unless_missing("repo_get_commit_pull_request", sha=commit)

    def open_ones(self, branch: str, base: str) -> list[Any]:
        """Return the open pull requests of the pair, oldest first: there should be one at most."""
        found = [pull for pull in self._listed("open", base) if is_of(pull, branch, base)]
        return sorted(found, key=lambda pull: pull.number)

    def newest_ended(self, branch: str, base: str) -> Any:
        """Return the newest pull request of the pair that is merged or closed, None without one."""
        pair = {"base": quote(base, safe=""), "head": quote(branch, safe="/")}
        if self._unless_missing("repo_get_pull_request_by_base_head", **pair) is None:
            return None
        ended = self._listed("closed", base)
        return next((pull for pull in ended if is_of(pull, branch, base)), None)

    def head_of(self, pull: Any) -> str:
        """Return the last commit of a pull request.

        Of an ended one, the answer has what its branch holds now, which may be something newer.
        """
        if pull.state != "open" and pull.head.ref == branch_of(pull):
            refs = self._unless_missing("repo_list_git_refs", ref=f"pull/{pull.number}/head")
            for ref in refs or ():
                if ref.ref == f"refs/pull/{pull.number}/head":
                    return str(ref.object.sha)
        return str(pull.head.sha)

    def reviews(self, number: int) -> list[Any]:
        """Return the reviews of a pull request by people, oldest first."""
        found = self._pages("repo_list_pull_reviews", index=number)
        return [review for review in found if review.user is not None]

    def commits(self, number: int) -> Iterator[Any]:
        """Yield the commits of a pull request."""
        return self._pages("repo_get_pull_request_commits", index=number)

    def pushes(self, pull: Any) -> list[tuple[str, Sequence[str]]]:
        """Return who pushed what to the branch of a pull request, what it was opened with too.

        Gitea shows a new head, and lets people approve it, before it notes who pushed it
        (`AddTestPullRequestTask`, services/pull/pull.go in v1.25): a head that no push names was
        made by nobody yet. It is waited for; raises NoAnswer when Gitea does not get to it, or was
        not told since the pull request was closed at the time.
        """
        head = pull.head.sha
        for _ in self._calls.poll(PATIENCE):
            found = list(self._noted_pushes(pull.number))
            if pull.state != "open" or any(head in commits for _, commits in found):
                return found
        raise NoAnswer(f"it has no note of who pushed {head[:7]}, not yet or never")

    def _noted_pushes(self, number: int) -> Iterator[tuple[str, Sequence[str]]]:
        method = self._issues.get_comments_and_timeline
        for page in range(1, _PAGES + 1):
            asked = {"index": number, "page": page, "limit": _PAGE}
            found = self._calls.read(partial(self._call, method, asked)) or []
            for one in found:
                if one.type == "pull_push" and one.user is not None:
                    yield one.user.login, pushed(one.body)
            if len(found) < _PAGE:
                return

    def statuses(self, commit: str) -> dict[str, CheckState]:
        """Return name -> newest state of what was reported for `commit`."""
        found: dict[str, CheckState] = {}
        for one in self._pages("repo_get_combined_status_by_ref", ref=commit):
            found.setdefault(one.context, STATES.get(one.status, "pending"))
        return found

    def label(self, name: str) -> int:
        """Return the number of a label; one that is not there is made."""
        for page in range(1, _PAGES + 1):
            labels = self.issue("list_labels", page=page, limit=_PAGE)
            for label in labels:
                if label.name == name:
                    return int(label.id)
            if not labels:
                break
        return int(self.issue("create_label", name=name, color="#ededed").id)

    def _listed(self, state: str, base: str) -> Iterator[Any]:
        """Yield pull requests, newest first."""
        # Gitea knows this one, Forgejo passes it over.
        options = {"additional_query_parameters": {"base_branch": base}}
        return self._pages("repo_list_pull_requests", state=state, request_options=options)

    def _pages(self, method: str, /, **arguments: Any) -> Iterator[Any]:
        """Yield the items of a list, page by page, as far as the caller iterates."""
        raw = getattr(self._repository.with_raw_response, method)
        seen = 0
        for page in range(1, _PAGES + 1):
            asked = {**arguments, "page": page, "limit": _PAGE}
            answer = self._calls.read(partial(self._call, raw, asked))
            items = getattr(answer.data, "statuses", answer.data) or []
            yield from items
            seen += len(items)
            # A server may give fewer for a page than it was asked for.
            total = answer.headers.get("x-total-count") or getattr(answer.data, "total_count", None)
            if not items or (total is not None and seen >= int(total)):
                return

    def _unless_missing(self, method: str, /, **arguments: Any) -> Any:
        try:
            return self.ask(method, **arguments)
        except ForgeResponse as error:
            if error.status == 404:
                return None
            raise

    def _call(self, method: Callable[..., T], arguments: Mapping[str, Any]) -> T:
        options = {**_NO_RETRY, **arguments.get("request_options", {})}
        place = {"owner": self._owner, "repo": self._name}
        return method(**{**place, **arguments, "request_options": options})


def make_client(
    calls: Calls, token: ForgeToken, environ: Mapping[str, str]
) -> tuple[Any, Watchdog]:
    """Return the library's client for a forge, and what ends its requests.

    Raises NotFound when the library is not installed.
    """
    before = dict(os.environ)
    try:
        import httpx
        from pyforgejo.client import PyforgejoApi
    except ImportError as error:
        raise no_library(calls.address, error, "gitea") from error
    finally:
        # A file that lies about must not change what this process does.
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)
    import ssl

    from gitops.adapters.http.clients import Watchdog

    bundle = ca_file(environ)
    watchdog = Watchdog(calls.seconds)
    client = httpx.Client(
        auth=httpx.BasicAuth(token.user, token.secret) if token.style == "basic" else None,
        verify=ssl.create_default_context(cafile=bundle) if bundle else True,
        follow_redirects=True,
        event_hooks={"request": [watchdog.begin], "response": [_stay, watchdog.read]},
    )
    base, key = calls.address.api_url, token.secret
    return PyforgejoApi(base_url=base, api_key=key, httpx_client=client), watchdog


def _stay(response: Any) -> None:
    """Follow a renamed repository, but to no other server, and never with another verb."""
    if not response.has_redirect_location:
        return
    before, after = response.request.url, response.request.url.join(response.headers["location"])
    same = (before.scheme, before.host, before.port) == (after.scheme, after.host, after.port)
    keeps = response.request.method == "GET" or response.status_code in (307, 308)
    if not (same and keeps):
        raise ForgeResponse(response.status_code, f"it redirects to {after.scheme}://{after.host}")


@contextmanager
def translated(watchdog: Watchdog) -> Iterator[None]:
    """Turn the library's errors into Answered and NoAnswer; nothing is watched afterwards."""
    import httpx
    from pyforgejo.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        # Its own text is every header that came, cookies too: it goes no further.
        status = error.status_code or 0
        if status < 300:
            raise NoAnswer("it answers, but not as Gitea or Forgejo does") from None
        raise ForgeResponse(status, _words(error.body), error.headers) from None
    except httpx.TimeoutException as error:
        raise NoAnswer("it took too long", late=True) from error
    except httpx.HTTPError as error:
        words = "it took too long" if watchdog.is_over else str(error)
        raise NoAnswer(words, late=watchdog.is_over) from error
    except (ValueError, RecursionError) as error:  # what the library's models do not take
        raise NoAnswer("it answers, but not as Gitea or Forgejo does") from error
    finally:
        watchdog.end()


def _words(body: object) -> str:
    message = body.get("message") if isinstance(body, dict) else getattr(body, "message", None)
    if isinstance(message, str) and message:
        return message
    return body if isinstance(body, str) and "<" not in body[:200] else "no reason given"
