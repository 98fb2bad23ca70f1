"""The one door to PyGithub: its requester and its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

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

_STRANGE = "it answers, but not as GitHub does"


class GithubApi(PathApi):
    """GitHub for one repository."""

    def __init__(self, calls: Calls, requester: Any) -> None:
        super().__init__(calls, f"/repos/{calls.address.repository}")
        self._requester = requester

    def send(self, verb: str, path: str, *parts: object, **body: Any) -> Any:
        """Change something, once."""
        return self._calls.write(lambda: self._send(verb, self._path(path, parts), {}, body))

    def graphql(self, query: str, /, **variables: Any) -> Any:
        """Ask, or change, what only the other interface has; once."""
        return self._calls.write(lambda: self._graphql(query, variables))

    def _graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = {"query": query, "variables": dict(variables)}
        where = self._requester.graphql_url
        _, found = self._requester.requestJsonAndCheck("POST", where, input=body)
        if not isinstance(found, dict):
            raise NoAnswer(_STRANGE)
        for error in found.get("errors") or ():
            raise ForgeResponse(422, str(error.get("message", "it says no")))
        return found.get("data") or {}

    def _ask(self, path: str, query: Mapping[str, Any]) -> Any:
        return self._send("GET", path, query, None)

    def _send(self, verb: str, path: str, query: Mapping[str, Any], body: Any) -> Any:
        headers, found = self._requester.requestJsonAndCheck(verb, path, dict(query), input=body)
        # Other redirects than 301 are taken for successes.
        bare = isinstance(found, dict) and found.keys() <= {"message", "url", "documentation_url"}
        if "location" in headers and (found is None or bare):
            host = urlsplit(headers["location"]).netloc or "another place"
            raise ForgeResponse(307, f"it redirects to {host}")
        if found is None or (isinstance(found, dict) and found.keys() <= {"data", "url"}):
            raise NoAnswer(_STRANGE)  # no JSON; the library adds the URL
        return found


def make_requester(calls: Calls, token: ForgeToken, environ: Mapping[str, str]) -> Any:
    """Return the library's requester for a forge. Raises NotFound when it is not installed."""
    try:
        import github
        from github import Requester as library
    except ImportError as error:
        raise no_library(calls.address, error, "github") from error
    from gitops.adapters.http.sessions import bound_session

    class Plain(library.HTTPRequestsConnectionClass):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            bound_session(self.session, calls.seconds)

    class Secure(library.HTTPSRequestsConnectionClass):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            bound_session(self.session, calls.seconds)

    class Requester(library.Requester):
        """Of its own class, since the library keeps the kinds of connections there."""

    Requester.injectConnectionClasses(Plain, Secure)
    basic = token.style == "basic" and token.user
    auth = github.Auth.Login(token.user, token.secret) if basic else github.Auth.Token(token.secret)
    return Requester(
        auth=auth,
        base_url=calls.address.api_url,
        timeout=round(LONGEST_REQUEST),
        user_agent="gitops",
        per_page=30,
        verify=ca_file(environ) or True,
        retry=None,
        pool_size=None,
        lazy=True,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into Answered and NoAnswer."""
    import requests
    from github import GithubException

    try:
        yield
    except GithubException as error:
        raise ForgeResponse(error.status, _words(error), error.headers) from None
    except requests.RequestException as error:
        raise no_answer(error) from error
    except RecursionError as error:  # a document that is nested without end
        raise NoAnswer(_STRANGE) from error
    except RuntimeError as error:  # a redirect to another host
        raise ForgeResponse(301, str(error).split(", please", maxsplit=1)[0]) from error
    except ValueError as error:  # half a document
        raise NoAnswer(_STRANGE) from error


def _words(error: Any) -> str:
    """Return the message of an answer, with what it says of each field."""
    data = error.data if isinstance(error.data, dict) else {}
    said = [str(data.get("message") or error.message or "")]
    for one in data.get("errors") or ():
        text = one.get("message") if isinstance(one, dict) else one
        if isinstance(text, str) and text:
            said.append(text)
    return ": ".join(filter(None, said))
