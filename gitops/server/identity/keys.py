"""Keys of the server's settings about who people and jobs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gitops.config.shapes import Key, ListOf, OneOf, Table, Text

_HTTPS = r"https://[^\s/?#@]+(?:/[^\s?#@]*)?|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?(?:/[^\s?#@]*)?"
_WORD = r"[^\u0000-\u0020\u007f]{1,500}"
_HEADER = r"[A-Za-z][A-Za-z0-9-]{0,63}"
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = r"[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?"
_WHO = r"(?:user|group):(?! )[^\u0000-\u001f\u007f]{1,200}(?<! )"
_DURATION = r"[1-9][0-9]{0,5}[smhd]?"
_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?"
)
LONGEST_SESSION: Final = "8h"


def _text(pattern: str, what: str) -> Text:
    return Text(pattern, f"is no {what}")


_FILE = _text(r"[^\u0000-\u001f\u007f]{1,500}", "path of a file")
_URL = Text(_HTTPS, "must be https (http only on this machine)")

_SIGN_IN = Table(
    {
        "kind": Key(OneOf("oidc", "github"), "How people sign in.", default="oidc"),
        "issuer": Key(_URL, "oidc: the provider, exactly as it calls itself."),
        "url": Key(_URL, "github: its pages.", default="https://github.com"),
        "clientId": Key(_text(_WORD, "client id"), "What it calls this server.", required=True),
        "clientSecretFile": Key(_FILE, "A file with the secret; left out: a public client."),
        "scopes": Key(
            ListOf(_text(_WORD, "scope"), least=1),
            "What is asked for; left out: openid, profile, email, groups, of GitHub read:org and "
            "user:email.",
        ),
        "userClaim": Key(
            _text(_WORD, "claim"),
            "What names a person in `access`: a claim, of GitHub login or email; left out: email, "
            "of GitHub login.",
        ),
        "groupsClaim": Key(
            _text(_WORD, "claim"),
            "Where their groups are: `roles`, `realm_access.roles`. None there: no groups.",
            default="groups",
        ),
        "trustEmail": Key(
            OneOf("no", "yes"),
            "yes: addresses count although the provider does not call them verified.",
            default="no",
        ),
        "who": Key(
            ListOf(_text(_WHO, "user:NAME or group:NAME"), least=1),
            "Who may look at all; left out: whoever can sign in. Needed where all the world can.",
        ),
        "label": Key(_text(r"[^\u0000-\u001f\u007f]{1,40}", "label"), "What its button says."),
    }
)

_SESSION = Table(
    {
        "keyFiles": Key(
            ListOf(_FILE, least=1),
            "Files with at least 32 random bytes each: the first one encrypts, all of them open, "
            "so that a key can be replaced. Left out: a key of this process, and everybody signs "
            "in anew after a restart.",
        ),
        "lifetime": Key(
            _text(_DURATION, "duration"), "How long one stays signed in.", default=LONGEST_SESSION
        ),
    }
)

_PROXY = Table(
    {
        "secretHeader": Key(
            _text(_HEADER, "header"),
            "The header that the proxy puts its secret in.",
            required=True,
        ),
        "secretFile": Key(_FILE, "A file with that secret, 32 characters at least.", required=True),
        "userHeader": Key(
            _text(_HEADER, "header"), "Who signed in there.", default="X-Auth-Request-Email"
        ),
        "nameHeader": Key(
            _text(_HEADER, "header"),
            "What they are called.",
            default="X-Auth-Request-Preferred-Username",
        ),
        "groupsHeader": Key(
            _text(_HEADER, "header"), "Their groups, with commas.", default="X-Auth-Request-Groups"
        ),
    }
)

_EXTENSION = Table(
    {
        "name": Key(
            _text(_NAME, "name"),
            "The name of the proxy extension: whoever Argo CD lets invoke it is in the group "
            "argocd:NAME.",
            required=True,
        ),
        "secretFile": Key(
            _FILE,
            "A file with the secret that Argo CD sends with it, 32 characters at least.",
            required=True,
        ),
    }
)

_ARGO_CD = Table(
    {
        "extensions": Key(ListOf(_EXTENSION, least=1), "Its proxy extensions.", required=True),
        "applications": Key(
            ListOf(
                _text(
                    r"[^\u0000-\u0020\u007f]*\{environment\}[^\u0000-\u0020\u007f]*",
                    "pattern with {environment}",
                ),
                least=1,
            ),
            "What Applications are called: `{app}-{environment}`, with the namespace before a "
            "slash where it is not Argo CD's own. A call is about the overlay that its "
            "Application is called after, and no other.",
            required=True,
        ),
    }
)

_ISSUER = Table(
    {
        "name": Key(_text(_NAME, "name"), "What `jobs` of gitops.yaml calls it.", required=True),
        "kind": Key(
            OneOf("github", "gitlab", "kubernetes", "other"),
            "What its tokens say.",
            required=True,
        ),
        "url": Key(_URL, "The issuer, exactly as its tokens name it.", required=True),
        "audience": Key(_text(_WORD, "audience"), "Whom tokens must be for; left out: publicUrl."),
        "keysFile": Key(
            _FILE,
            "A file with its public keys (JWKS), where the server cannot ask for them "
            "(`kubectl get --raw /openid/v1/jwks`).",
        ),
    }
)

_TOKEN = Table(
    {
        "job": Key(
            _text(_NAME, "name"), "The job of gitops.yaml, with `issuer: static`.", required=True
        ),
        "sha256": Key(
            Text(r"[0-9a-f]{64}", lambda text: "must be the SHA-256 of the token, 64 hex digits"),
            "The hash of the token (`gitops serve` never needs the token itself).",
            required=True,
        ),
        "expires": Key(
            _text(_MOMENT, "date, or time with its zone"), "When it ends.", required=True
        ),
    }
)

IDENTITY_KEYS: Mapping[str, Key] = {
    "signIn": Key(_SIGN_IN, "Where people sign in."),
    "session": Key(_SESSION, "How long, and what keeps it secret."),
    "trustedProxies": Key(
        ListOf(_text(_ADDRESS, "address or network"), least=1),
        "Addresses of proxies that may say who somebody is; with `proxySignIn`.",
    ),
    "proxySignIn": Key(_PROXY, "A proxy before this server signs people in."),
    "argocd": Key(_ARGO_CD, "Argo CD's server hands requests on (its proxy extension)."),
    "issuers": Key(ListOf(_ISSUER), "Whose tokens prove what a job is."),
    "tokens": Key(ListOf(_TOKEN), "Fixed tokens of jobs that have no other."),
}
"""Key of the settings file -> what it may be."""
