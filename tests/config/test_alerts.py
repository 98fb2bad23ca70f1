"""`alerts:` of `gitops.yaml`: which environment an alert is about."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.errors import ConfigError

START = (
    "apiVersion: gitops/v1\nkind: Config\nenvironments:\n  - {name: prod, overlay: o/p}\nalerts:\n"
)


def test_an_environment_that_is_not_there() -> None:
    """What is wrong is told where the word stands."""
    row = "  - {name: e, match: {alertname: E}, environment: {name: prd}}\n"
    with pytest.raises(ConfigError) as caught:
        load_config((START + row).encode())

    said = "6:58: alerts[0].environment.name: no environment 'prd'; did you mean prod?"
    assert caught.value.reasons == (f"gitops.yaml:{said}",)
