"""GitHub's OAuth: it is no OpenID provider, so its API says who somebody is.

A team is `ORG:TEAM`, and whoever is in one is in `ORG`, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from gitops.adapters.signin.documents import AnsweredError, Documents
from gitops.adapters.signin.oidc import Client
from gitops.core.text.plain import one_line
from gitops.errors import Denied
from gitops.ports.sign_in import Account

_PAGE = 100
_PAGES = 10  # of teams
_ADDRESSES = 8  # of one person; they are kept in a cookie
_LONGEST = 100  # characters of such a one


class GitHubSignIn:
    """GitHub, or a GitHub Enterprise Server.

    Args:
        url: its pages, without a slash at the end.
        by_email: people are named by their primary address, not by their login.
    """

    def __init__(
        self, url: str, client: Client, environ: Mapping[str, str], *, by_email: bool = False
    ) -> None:
        host = urlsplit(url).hostname or ""
        self._url = url
        self._host = host or "github.com"
        self._api = _api(url, host)
        self._client = client
        self._by_email = by_email
        self._documents = Documents(f"GitHub ({host})", environ)

    def address(self, state: str, nonce: str, challenge: str, back: str) -> str:
        """Return where to send the browser; GitHub has no use for a nonce."""
        asked = {
            "client_id": self._client.id,
            "redirect_uri": back,
            "scope": " ".join(self._client.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._url}/login/oauth/authorize?{urlencode(asked)}"

    def exchange(self, code: str, verifier: str, nonce: str, back: str) -> Account:
        """Return who came back with `code`."""
        form = {
            "client_id": self._client.id,
            "client_secret": self._client.secret,
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        try:
            answer = self._documents.post(f"{self._url}/login/oauth/access_token", form)
        except AnsweredError as error:
            raise _no(error.word, error.status) from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):  # its errors come with status 200
            word = answer.get("error") if isinstance(answer, dict) else None
            raise _no(word if isinstance(word, str) and word.isprintable() else "", 200)
        return self.again(token)

    def again(self, token: str) -> Account:
        """Ask anew who the owner of a token is, and in which teams."""
        try:
            user = self._documents.get(f"{self._api}/user", token)
            login, number = user.get("login"), user.get("id")
            if not isinstance(login, str) or not isinstance(number, int):
                raise _no("", 200)
            address, others = self._addresses(token)
            groups = tuple(dict.fromkeys(self._groups(token)))
        except AnsweredError as error:
            raise _no(error.word, error.status) from None
        except AttributeError:  # no document of the kind that it should be
            raise _no("", 200) from None
        if self._by_email and not address:
            raise Denied("GitHub shows no verified address of yours", hint="add user:email there")
        name = user.get("name") if isinstance(user.get("name"), str) else ""
        return Account(
            user=address if self._by_email else login,
            name=one_line(name, 200) or login,
            email=address or f"{number}+{login}@users.noreply.{self._host}",
            groups=groups,
            token=token,
            # What is committed on its pages is by one of these, whichever address is the first.
            claimed=" ".join(
                dict.fromkeys(
                    [f"{who}@users.noreply.{self._host}" for who in (f"{number}+{login}", login)]
                    + others
                )
            ),
        )

    def _addresses(self, token: str) -> tuple[str, list[str]]:
        """Return the primary address, "" for none, and all that are proved."""
        try:
            rows = self._documents.get(f"{self._api}/user/emails", token)
        except AnsweredError:  # the scope for it was not given
            return "", []
        rows = (
            [row for row in rows if row.get("verified") is True] if isinstance(rows, list) else []
        )
        primary = (str(row.get("email") or "") for row in rows if row.get("primary") is True)
        every = [str(row.get("email") or "")[:_LONGEST] for row in rows[:_ADDRESSES]]
        return next(primary, ""), list(filter(None, every))

    def _groups(self, token: str) -> Iterator[str]:
        for page in range(1, _PAGES + 1):
            rows = self._documents.get(
                f"{self._api}/user/teams?per_page={_PAGE}&page={page}", token
            )
            rows = rows if isinstance(rows, list) else []
            for row in rows:
                organization = (row.get("organization") or {}).get("login")
                if isinstance(organization, str) and isinstance(row.get("slug"), str):
                    yield organization
                    yield f"{organization}:{row['slug']}"
            if len(rows) < _PAGE:
                return


def _api(url: str, host: str) -> str:
    parts: Any = urlsplit(url)
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{parts.scheme}://api.{host}"
    return f"{url}/api/v3"


def _no(word: str, status: int) -> Denied:
    why = f": {word}" if word else f" (HTTP {status})"
    return Denied(f"GitHub says no{why}", hint="sign in again")
