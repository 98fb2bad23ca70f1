"""`pullRequest:` of gitops.yaml: how proposals look on the forge."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.environment import PullRules
from gitops.errors import ConfigError

ROWS = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: overlays/dev}
"""


def test_every_key_is_read() -> None:
    """Labels, reviewers, merge method and draft become values."""
    text = (
        "pullRequest: {labels: [deploy, needs a look], reviewers: [ana, 'team:ops'], "
        "mergeMethod: squash, draft: true}\n"
    )
    found = load_config((ROWS + text).encode()).pulls

    assert PullRules(("deploy", "needs a look"), ("ana", "team:ops"), "squash", True) == found


def test_left_out_it_is_plain() -> None:
    """Without the key: no labels, nobody asked, a merge commit, no draft."""
    assert PullRules((), (), "merge", False) == load_config(ROWS.encode()).pulls


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("labels: ['a,b']", "labels[0]: 'a,b' is no label: at most 50 characters on one line"),
        ("labels: [' a']", "labels[0]: ' a' is no label"),
        ("reviewers: ['@ana']", "reviewers[0]: write the login name without @, 'ana'"),
        ("reviewers: ['ana b']", "reviewers[0]: 'ana b' is neither a login name nor team:NAME"),
        ("mergeMethod: octopus", "mergeMethod: must be merge, squash or rebase, not 'octopus'"),
        ("draft: 1", "draft: must be true or false, not a number"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(keys: str, expected: str) -> None:
    """A slip is named with its key and what would be right."""
    with pytest.raises(ConfigError) as caught:
        load_config((ROWS + f"pullRequest: {{{keys}}}\n").encode())

    (reason,) = caught.value.reasons
    assert reason.partition("pullRequest.")[2].startswith(expected)
