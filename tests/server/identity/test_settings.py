"""What the settings file says of people and jobs: all that is wrong at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.errors import ConfigError, UsageError
from gitops.server.run import check_open
from gitops.server.settings import Listen, ServerSettings, parse_settings

LONG = "x" * 40


def reasons(text: str) -> list[str]:
    """Return what is wrong, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text.encode(), "s.yaml")
    return [one.removeprefix("s.yaml:") for one in caught.value.reasons]


def sign_in(rows: str, url: str = "https://gitops.example.com") -> str:
    """Return settings with a sign-in."""
    return f"publicUrl: {url}\nsignIn: {{clientId: x, {rows}}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (sign_in("kind: oidc"), "2:9: signIn.issuer: is missing"),
        (sign_in("issuer: 'http://idp.example.com'"), "2:31: signIn.issuer: 'http://idp.example"),
        (sign_in("issuer: 'https://i.example'", "http://g.example"), "signIn: needs publicUrl wi"),
        (
            sign_in("issuer: 'https://accounts.google.com'"),
            "signIn.who: is missing: anybody in the",
        ),
        (sign_in("issuer: 'https://gitlab.com'"), "signIn.who: is missing: anybody in the world"),
        (
            sign_in("kind: github, who: ['group:o']"),
            "signIn.clientSecretFile: is missing: GitHub kn",
        ),
        (sign_in("kind: github, issuer: 'https://i.example'"), "signIn.issuer: means nothing for"),
        (
            sign_in("issuer: 'https://i.example', clientSecretFile: /none"),
            "cannot be read: No such",
        ),
        (sign_in("issuer: 'https://i.example', group: x"), "unknown key"),
        ("trustedProxies: [10.0.0.0/8]\n", "1:17: trustedProxies: does nothing without proxySig"),
        (
            "trustedProxies: ['::/0']\nproxySignIn: {secretHeader: X, secretFile: F}\n",
            "whole world",
        ),
        (
            "trustedProxies: [10.0.0.300]\nproxySignIn: {secretHeader: X, secretFile: F}\n",
            "is no ad",
        ),
        ("session: {keyFiles: [SHORT]}\n", "session.keyFiles[0]: the secret there has 5 bytes: 32"),
        ("session: {keyFiles: []}\n", "session.keyFiles: the list is empty"),
        ("session: {lifetime: soon}\n", "session.lifetime: 'soon' is no duration"),
        (
            "argocd: {applications: ['{app}'], extensions: [{name: a, secretFile: F}]}\n",
            "is no patt",
        ),
        (
            "argocd:\n  applications: ['{environment}']\n  extensions:\n"
            "    - {name: a, secretFile: F}\n    - {name: b, secretFile: F}\n",
            "argocd: two extensions have the same secret",
        ),
        ("tokens: [{job: a, sha256: abc, expires: '2027-01-01'}]\n", "must be the SHA-256 of the"),
        (f"tokens: [{{job: a, sha256: {'a' * 64}, expires: '2027-02-30'}}]\n", "no date that a c"),
        ("issuers: [{name: a, kind: other, url: 'https://a', keysFile: F}]\n", "is no JSON"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    """Before anything is served, with the key; a secret is in no message."""
    (tmp_path / "short").write_text("12345")
    (tmp_path / "file").write_text(LONG)
    text = text.replace("SHORT", f"{tmp_path}/short").replace(": F}", f": {tmp_path}/file}}")
    found = reasons(text)
    assert any(words in one for one in found), found
    assert LONG not in "".join(found)


def test_all_at_once(tmp_path: Path) -> None:
    """One start tells everything."""
    text = sign_in("kind: github, issuer: 'https://i.example'") + "trustedProxies: [x1]\n"
    assert 2 <= len(reasons(text))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Not by whatever prints the settings."""
    (tmp_path / "secret").write_text(LONG)
    text = (
        f"publicUrl: https://g.example\nsignIn: {{issuer: 'https://i.example', clientId: x, "
        f"clientSecretFile: {tmp_path}/secret}}\nsession: {{keyFiles: [{tmp_path}/secret]}}\n"
        f"trustedProxies: [10.0.0.1]\n"
        f"proxySignIn: {{secretHeader: X-S, secretFile: {tmp_path}/secret}}\n"
    )
    file = parse_settings(text.encode(), "s.yaml")
    settings = ServerSettings(
        ".", Listen("127.0.0.1", 1), public_url="https://g.example", file=file
    )
    found = settings.identity()
    assert found.sign_in is not None
    assert LONG == found.sign_in.client[1]
    assert LONG not in repr(found) + repr(settings) + repr(found.proxy) + repr(found.sign_in)


def test_jobs_alone_open_no_door() -> None:
    """Beyond loopback, tokens of jobs sign no people in: the page would be open to all."""
    text = f"tokens: [{{job: a, sha256: {'a' * 64}, expires: '2027-01-01'}}]\n"
    file = parse_settings(text.encode(), "s.yaml")
    settings = ServerSettings(".", Listen("0.0.0.0", 1), file=file)
    with pytest.raises(UsageError, match="could act here"):
        check_open(settings)
    check_open(ServerSettings(".", Listen("0.0.0.0", 1), file=file, read_only=True))
