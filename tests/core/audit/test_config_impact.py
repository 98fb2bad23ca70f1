"""What of gitops.yaml bears on an environment, and how a change of it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from gitops.config import load_config
from gitops.core.audit.config_impact import bearing, bearing_changes
from gitops.core.environments.environment import Config, Environment
from gitops.core.environments.freeze import Freeze, Stretch

TEXT = b"""\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: o/dev}
  - {name: test, overlay: o/test}
  - {name: stage, overlay: o/stage, after: [test]}
  - {name: prod, overlay: o/prod, change: pull-request, after: [stage], soak: 24h}
access:
  - {may: [approve], environments: [prod], who: ["user:ana"]}
jobs:
  - {name: ci, issuer: github, claims: {repository_id: "7"}}
"""
CONFIG = load_config(TEXT)
NIGHT = Stretch(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def with_row(name: str, **values: object) -> Config:
    """Return the config with one row changed."""
    rows = (replace(row, **values) if row.name == name else row for row in CONFIG.environments)
    return replace(CONFIG, environments=tuple(rows))


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (with_row("prod", change="commit"), "change of prod was pull-request, is commit"),
        (with_row("prod", soak=timedelta(hours=1)), "soak of prod was 86400s, is 3600s"),
        (with_row("prod", soak=None), "soak of prod was 86400s, is not set"),
        (with_row("stage", overlay="o/x"), "overlay of stage was o/stage, is o/x"),
        (with_row("test", accepts=("**",)), "accepts of test was [], is [**]"),
        (replace(CONFIG, signers="s"), "signers was not set, is s"),
        (replace(CONFIG, sources={"a": "b"}), "images changed"),
        (replace(CONFIG, also={"a": ()}), "images[].also changed"),
        (replace(CONFIG, freezes=(Freeze("n", "r", NIGHT, ("prod",)),)), "freeze changed"),
        (replace(CONFIG, freezes=(Freeze("n", "r", NIGHT),)), "freeze changed"),
        (replace(CONFIG, environments=CONFIG.environments[:3]), "prod is not there any more"),
        (None, "cannot be read"),
    ],
    ids=str,
)
def test_what_bears_on_prod(after: Config | None, told: str) -> None:
    """Its row, the rows of its gate and the top level count, in words of the file."""
    changes = bearing_changes(CONFIG, after, "prod")

    assert len(changes) == 1
    assert told in changes[0]


@pytest.mark.parametrize(
    "after",
    [
        with_row("dev", overlay="o/other"),
        with_row("prod", line=99),
        replace(CONFIG, freezes=(Freeze("n", "r", NIGHT, ("dev",)),)),
        replace(CONFIG, environments=(*CONFIG.environments, Environment("eu", "o/eu"))),
        load_config(b"# words\n" + TEXT.replace(b"soak: 24h", b"soak: '1d', deploy: manual")),
    ],
    ids=["row-of-dev", "line", "freeze-of-dev", "new-row", "words-and-defaults"],
)
def test_what_does_not(after: Config) -> None:
    """Rows of others, comments, spellings of the same value and new rows do not."""
    assert () == bearing_changes(CONFIG, after, "prod")


def test_every_field_counts() -> None:
    """A field that a later version adds bears from its first day on."""
    keys = bearing(CONFIG, "prod")

    told = [key for key in keys if key.endswith(" of prod")]
    assert len(Environment.__struct_fields__) - 2 == len(told)
    assert len(Config.__struct_fields__) - 1 == len([key for key in keys if " of " not in key])


def test_circle_of_gates() -> None:
    """Rows that come after each other are read once."""
    config = with_row("test", after=("prod",))

    assert "after of stage" in bearing(config, "prod")
