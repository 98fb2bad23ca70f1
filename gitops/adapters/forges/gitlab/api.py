"""The one door to python-gitlab: its client and its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from gitops.adapters.forges.transport.calls import (
    LONGEST_REQUEST,
    Calls,
    ForgeResponse,
    NoAnswer,
    no_answer,
    no_library,
)
from gitops.adapters.forges.transport.paths import PathApi
from gitops.adapters.http.tls import ca_file
from gitops.core.forges.token import ForgeToken

_STRANGE = "it answers, but not as GitLab does"
# The library would wait as long as a limit on requests says.
_NO_RETRY = {"obey_rate_limit": False, "retry_transient_errors": False}


class GitlabApi(PathApi):
    """GitLab for one project."""

    def __init__(self, calls: Calls, client: Any) -> None:
        super().__init__(calls, f"/projects/{quote(calls.address.repository, safe='')}")
        self._client = client

    def user(self, name: str) -> Any:
        """Return a user, None when nobody has that name."""
        found = self._calls.read(lambda: self._ask("/users", {"username": name}))
        return next((one for one in found if one["username"] == name), None)

    def post(self, path: str, *parts: object, **body: Any) -> Any:
        """Make something, once."""
        where = self._path(path, parts)
        return self._calls.write(
            lambda: _document(self._client.http_post(where, post_data=body, **_NO_RETRY))
        )

    def put(self, path: str, *parts: object, **body: Any) -> Any:
        """Change something, once."""
        where = self._path(path, parts)
        return self._calls.write(
            lambda: _document(self._client.http_put(where, post_data=body, **_NO_RETRY))
        )

    def _ask(self, path: str, query: Mapping[str, Any]) -> Any:
        return _document(self._client.http_get(path, query_data=dict(query), **_NO_RETRY))


def make_client(
    calls: Calls, token: ForgeToken, environ: Mapping[str, str], last: dict[str, str]
) -> Any:
    """Return the library's client for a forge; `last` gets the headers of each answer.

    Raises NotFound when the library is not installed.
    """
    try:
        import gitlab
        import requests
    except ImportError as error:
        raise no_library(calls.address, error, "gitlab") from error
    from gitops.adapters.http.sessions import bound_session

    def look(response: Any, *_: Any, **__: Any) -> None:
        last.clear()
        last.update(response.headers)
        if response.is_redirect:
            _stay(response)

    session = requests.Session()
    bound_session(session, calls.seconds)
    session.hooks["response"].append(look)
    # Access tokens of every kind are taken as OAuth tokens, and that header is no redirect's prey.
    is_job = token.style == "job"
    return gitlab.Gitlab(
        url=calls.address.url,
        ssl_verify=ca_file(environ) or True,
        timeout=LONGEST_REQUEST,
        user_agent="gitops",
        session=session,
        job_token=token.secret if is_job else None,
        oauth_token=None if is_job else token.secret,
    )


def _stay(response: Any) -> None:
    """Follow a renamed project, but to no other server."""
    after = urlsplit(urljoin(response.url, response.headers["location"]))
    before = urlsplit(response.url)
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        raise ForgeResponse(
            response.status_code, f"it redirects to {after.scheme}://{after.netloc}"
        )


@contextmanager
def translated(last: Mapping[str, str]) -> Iterator[None]:
    """Turn the library's errors into Answered and NoAnswer, with the headers of the last answer."""
    import gitlab
    import requests

    try:
        yield
    except gitlab.GitlabHttpError as error:
        raise ForgeResponse(error.response_code or 0, _words(error.error_message), last) from None
    except gitlab.GitlabAuthenticationError as error:
        raise ForgeResponse(401, _words(error.error_message), last) from None
    except gitlab.exceptions.RedirectError as error:
        raise ForgeResponse(301, "a project that has moved takes no changes here") from error
    except gitlab.GitlabError as error:
        raise NoAnswer(_STRANGE) from error
    except requests.RequestException as error:
        raise no_answer(error) from error


def _document(found: Any) -> Any:
    """Return a document; the library gives its own object for an answer that is no JSON."""
    if isinstance(found, dict | list):
        return found
    raise NoAnswer(_STRANGE)


def _words(message: object) -> str:
    """Return what GitLab says, which may be a text, a list, or lists by field."""
    if isinstance(message, dict):
        return "; ".join(f"{key} {_words(value)}" for key, value in message.items())
    if isinstance(message, list | tuple):
        return "; ".join(_words(one) for one in message)
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    text = str(message)
    return "no reason given" if "<" in text[:200] else text
