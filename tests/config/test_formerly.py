"""`formerly:` of an environment: earlier names, each of one environment only."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.environment import Overlay
from gitops.errors import ConfigError

START = "apiVersion: gitops/v1\nkind: Config\nenvironments:\n"


def test_earlier_names_are_kept() -> None:
    """Today's name first; with an app in each label."""
    row = "  - {name: develop, overlay: 'apps/{app}/dev', formerly: [dev, devel]}\n"
    (environment,) = load_config((START + row).encode()).environments

    assert ("develop", "dev", "devel") == environment.names
    assert ("shop/develop", "shop/dev", "shop/devel") == Overlay(environment, "shop").labels
    assert "develop" == Overlay(environment).label


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "  - {name: dev, overlay: o/d}\n  - {name: test, overlay: o/t, formerly: [dev]}\n",
            "5:43: environments[1].formerly[0]: an environment is called dev today",
        ),
        (
            "  - {name: a, overlay: o/a, formerly: [x]}\n"
            "  - {name: b, overlay: o/b, formerly: [x]}\n",
            "5:40: environments[1].formerly[0]: a was called x, too",
        ),
        (
            "  - {name: a, overlay: o/a, formerly: [a]}\n",
            "4:40: environments[0].formerly[0]: an environment is called a today",
        ),
    ],
)
def test_a_name_is_of_one_environment(rows: str, words: str) -> None:
    """Else the hold of one would hold another."""
    with pytest.raises(ConfigError) as error:
        load_config((START + rows).encode())

    (reason,) = error.value.reasons
    assert f"gitops.yaml:{words}" == reason
