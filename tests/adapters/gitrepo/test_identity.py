"""Who writes, from the most to the least explicit source."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitops.adapters.gitrepo.identity import find_committer, find_identity
from gitops.core.git.commit import Identity
from gitops.errors import NotFound, UsageError

OWN = {"GITOPS_AUTHOR": "Own <own@example.com>"}
VARIABLES = {
    "GIT_AUTHOR_NAME": "Var",
    "GIT_AUTHOR_EMAIL": "var@example.com",
    "GIT_COMMITTER_NAME": "Com",
    "GIT_COMMITTER_EMAIL": "com@example.com",
}
SETTINGS = {"user.name": "Conf", "user.email": "conf@example.com"}
CI = {"GITLAB_USER_NAME": "Lab", "GITLAB_USER_EMAIL": "lab@example.com"}


def who(environ: Mapping[str, str], settings: Mapping[str, str], role: str = "author") -> Identity:
    """Ask with this environment and this configuration."""
    if role == "committer":
        return find_committer(environ, settings.get) or who(environ, settings)
    return find_identity(environ, settings.get)


def test_order() -> None:
    """Our own variable, Git's variables, its configuration, the CI system: in this order."""
    assert Identity("Own", "own@example.com") == who(OWN | VARIABLES | CI, SETTINGS)
    assert Identity("Var", "var@example.com") == who(VARIABLES | CI, SETTINGS)
    assert Identity("Conf", "conf@example.com") == who(CI, SETTINGS)
    assert Identity("Lab", "lab@example.com") == who(CI, {})


def test_committer() -> None:
    """The committer has variables of its own, and is the author otherwise."""
    assert Identity("Com", "com@example.com") == who(OWN | VARIABLES, {}, "committer")
    assert Identity("Own", "own@example.com") == who(OWN, SETTINGS, "committer")


def test_halves_are_put_together() -> None:
    """A name from a variable goes with the address from the configuration."""
    found = who({"GIT_AUTHOR_NAME": "Var"}, SETTINGS)

    assert Identity("Var", "conf@example.com") == found


def test_author_settings_win() -> None:
    """`author.name` stands before `user.name`."""
    assert who({}, SETTINGS | {"author.name": "Pen"}).name == "Pen"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"GITHUB_ACTOR": "mona"}, Identity("mona", "mona@users.noreply.github.com")),
        (
            {"GITHUB_ACTOR": "mona", "GITHUB_ACTOR_ID": "5"},
            Identity("mona", "5+mona@users.noreply.github.com"),
        ),
        (
            {"BUILD_USER": "Jen", "BUILD_USER_EMAIL": "jen@example.com"},
            Identity("Jen", "jen@example.com"),
        ),
    ],
)
def test_ci_systems(environ: dict[str, str], expected: Identity) -> None:
    """Whoever started a job is known to its CI system."""
    assert expected == who(environ, {})


def test_nobody() -> None:
    """Where nobody is known, the error names the way out."""
    with pytest.raises(NotFound) as caught:
        who({"GITLAB_USER_NAME": "no address"}, {"user.name": "no address"})

    assert "GITOPS_AUTHOR" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["Ana", "<a@x>", "Ana <>", "Ana <a b@x>", "A <a@x> <b@x>"])
def test_malformed(text: str) -> None:
    """Our own variable must be a name and an address."""
    with pytest.raises(UsageError, match="GITOPS_AUTHOR"):
        who({"GITOPS_AUTHOR": text}, SETTINGS)


def test_no_header_can_be_broken() -> None:
    """Newlines and brackets never reach a commit's header."""
    found = who({"GIT_AUTHOR_NAME": "A\nB <x>", "GIT_AUTHOR_EMAIL": "a\n@x"}, {})

    assert Identity("AB x", "a@x") == found
