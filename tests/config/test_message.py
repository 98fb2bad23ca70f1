"""`message:` of `gitops.yaml`: the form of commit messages."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.environment import MessageForm
from gitops.errors import ConfigError

HEAD = """\
apiVersion: gitops/v1
kind: Config
environments: [{name: dev, overlay: overlays/dev}]
"""


def test_the_form() -> None:
    """Subject and trailers as they stand there; left out, messages are as gitops writes them."""
    text = HEAD + (
        'message: {subject: "chore(deploy): {summary}", trailers: ["Signed-off-by: {author}"]}\n'
    )

    assert load_config(text.encode()).message == MessageForm(
        "chore(deploy): {summary}", ("Signed-off-by: {author}",)
    )
    assert load_config(HEAD.encode()).message == MessageForm()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("subject: no place", "has no {summary} in it"),
        ("trailers: [no trailer]", "is no trailer"),
        ('trailers: ["Gitops-Id: 1"]', "is one that gitops itself writes"),
        ('trailers: ["gitops-restores: 1"]', "is one that gitops itself writes"),
    ],
)
def test_wrong_forms(row: str, problem: str) -> None:
    """A form must leave room for what was done, and never speak for gitops."""
    with pytest.raises(ConfigError) as caught:
        load_config(f"{HEAD}message: {{{row}}}\n".encode())

    assert problem in caught.value.reasons[0]
