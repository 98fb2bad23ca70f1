"""`databases:` and `dataProtection:` in gitops.yaml."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.audit.config_impact import bearing_changes
from gitops.core.environments.environment import Config
from gitops.core.environments.rows import DatabaseRow
from gitops.errors import ConfigError

HEAD = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: dev, database: dummy}
  - {name: stage, overlay: stage, database: real, dataProtection: masked}
"""
ROWS = """\
databases:
  - {class: real, hosts: ["*.prod-db.example.com"], stores: ["vault/prod/*"], egress: bounded}
  - {class: dummy, hosts: [dummy-db], secrets: [dummy-db], keys: ["DATABASE_KIND=dummy"]}
"""


def load(text: str) -> Config:
    return load_config(f"{HEAD}{text}".encode())


def test_rows() -> None:
    """Each row becomes a value; without any there are none."""
    config = load(ROWS)

    assert (
        DatabaseRow("real", ("*.prod-db.example.com",), (), ("vault/prod/*",), (), True),
        DatabaseRow("dummy", ("dummy-db",), ("dummy-db",), (), ("DATABASE_KIND=dummy",)),
    ) == config.databases
    assert ["masked"] == [row.protection for row in config.environments if row.protection]
    assert () == load("").databases


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("databases: [{hosts: [x]}]", "databases[0].class: is missing"),
        ("databases: [{class: real}]", "says not how they are known"),
        ("databases: [{class: fake, hosts: [x]}]", "must be real or dummy"),
        ("databases: [{class: real, hosts: ['*']}]", "'*' is no host"),
        ("databases: [{class: real, hosts: ['pg://x']}]", "no scheme and no port"),
        ("databases: [{class: real, secrets: [Shop]}]", "no name of a Secret"),
        ("databases: [{class: real, stores: ['a b']}]", "no STORE/KEY"),
        ("databases: [{class: real, keys: ['=x']}]", "no setting"),
        ("databases: [{class: real, hosts: []}]", "the list is empty"),
        (
            "databases: [{class: real, hosts: [x]}, {class: dummy, hosts: [X]}]",
            "'X' is real, too, on line 6",
        ),
    ],
)
def test_wrong_rows(text: str, words: str) -> None:
    """What is wrong with a row is told at its place, with what would be right."""
    with pytest.raises(ConfigError) as told:
        load(text)

    assert any(words in one for one in told.value.reasons), told.value.reasons


def test_protection_is_about_real_data() -> None:
    """A word about dummy data would be believed of real data later."""
    text = HEAD.replace("database: dummy", "database: dummy, dataProtection: masked")

    with pytest.raises(ConfigError, match="1 problem"):
        load_config(text.encode())


def test_they_bear_on_every_environment() -> None:
    """A change of the rows is one of each environment; where a row stands is none."""
    before, after = load(ROWS), load(ROWS.replace("dummy-db]", "other]"))
    moved = load(f"# moved\n{ROWS}")

    assert ("databases changed",) == bearing_changes(before, after, "stage")
    assert () == bearing_changes(before, moved, "stage")
    gone = load_config(HEAD.replace(", dataProtection: masked", "").encode())
    assert ("dataProtection of stage was masked, is not set",) == bearing_changes(
        load(""), gone, "stage"
    )
