"""`groups:` of `gitops.yaml`: names for several environments."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.environment import Group
from gitops.errors import ConfigError

START = (
    "apiVersion: gitops/v1\nkind: Config\nenvironments:\n"
    "  - {name: stage, overlay: o/s, formerly: [acc]}\n"
    "  - {name: prod-eu, overlay: o/e}\n"
    "  - {name: prod-us, overlay: o/u}\n"
    "groups:\n"
)


def test_a_group_is_in_promotion_order() -> None:
    """In whatever order it names its environments."""
    row = "  - {name: production, environments: [prod-us, prod-eu]}\n"
    config = load_config((START + row).encode())

    assert (Group("production", ("prod-eu", "prod-us")),) == config.groups
    assert config.groups[0] is config.find_group("production")
    assert config.find_group("prod-eu") is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "  - {name: stage, environments: [prod-eu]}\n",
            "8:12: groups[0].name: an environment is called stage already",
        ),
        (
            "  - {name: acc, environments: [prod-eu]}\n",
            "8:12: groups[0].name: stage was called acc",
        ),
        (
            "  - {name: p, environments: [prod-ue]}\n",
            "8:30: groups[0].environments[0]: no environment 'prod-ue'; did you mean prod-us?",
        ),
        (
            "  - {name: p, environments: [stage]}\n  - {name: p, environments: [stage]}\n",
            "9:12: groups[1].name: there is a group p already, on line 8",
        ),
        (
            "  - {name: p, environments: []}\n",
            "8:29: groups[0].environments: the list is empty: it needs one at least",
        ),
        (
            "  - {name: ledger, environments: [stage]}\n",
            "8:12: groups[0].name: 'ledger' is taken: "
            "gitops keeps its ledger on the branch gitops/ledger",
        ),
    ],
)
def test_a_word_stands_for_one_thing(rows: str, words: str) -> None:
    """Else nobody knows what `gitops rollback WORD` means, or whose proposal a branch is."""
    with pytest.raises(ConfigError) as error:
        load_config((START + rows).encode())

    (reason,) = error.value.reasons
    assert f"gitops.yaml:{words}" == reason
