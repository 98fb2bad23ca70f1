"""`access:` and `jobs:` of gitops.yaml."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from gitops.config import config_schema, load_config
from gitops.core.environments.rows import ACTS, AccessRow, JobRow
from gitops.errors import ConfigError

START = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: o/dev}
  - {name: prod-eu, overlay: o/eu}
  - {name: prod-us, overlay: o/us}
groups:
  - {name: production, environments: [prod-us, prod-eu]}
"""
ACCESS = 'access:\n  - {may: [hold], environments: [production], who: ["group:shop:oncall"]}\n'
JOBS = (
    "jobs:\n  - {name: ci, issuer: github, claims: {repository_id: '74', ref: refs/heads/main}}\n"
)


def test_rows_become_values() -> None:
    """A group stands for its environments, in promotion order."""
    config = load_config((START + ACCESS + JOBS).encode())

    row = AccessRow(("hold",), ("prod-eu", "prod-us"), ("group:shop:oncall",), line=10)
    assert (row,) == config.access
    claims = (("ref", "refs/heads/main"), ("repository_id", "74"))
    assert (JobRow("ci", "github", claims, line=12),) == config.jobs


def test_left_out() -> None:
    """Nobody may anything."""
    config = load_config(START.encode())
    assert ((), ()) == (config.access, config.jobs)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ACCESS.replace("hold", "holds"), "10:12: access[0].may[0]: must be deploy, promote, "),
        (ACCESS.replace("[production]", "[]"), "10:33: access[0].environments: the list is empty"),
        (
            ACCESS.replace("[production]", "[prod]"),
            "10:34: access[0].environments[0]: no environment 'prod'; did you mean prod-us?",
        ),
        (ACCESS.replace("group:shop:oncall", "ana"), "10:53: access[0].who[0]: 'ana' is nobody"),
        (
            ACCESS.replace("group:shop:oncall", "job:ci"),
            "10:53: access[0].who[0]: no job 'ci' in `jobs`",
        ),
        (
            ACCESS.replace("hold", "approve").replace("group:shop:oncall", "job:ci") + JOBS,
            "10:56: access[0].who[0]: a job approves nothing: that is a person's word",
        ),
        (
            JOBS.replace("repository_id: '74', ", ""),
            "10:40: jobs[0].claims: needs repository_id",
        ),
        (JOBS.replace("'74'", "74"), "10:56: jobs[0].claims.repository_id: must be text, not a"),
        (JOBS.replace("ref: ", "aud: "), "10:67: jobs[0].claims.aud: is looked at by the server"),
        (JOBS.replace("ref: ", "sub: "), "10:40: jobs[0].claims: the form of `sub` has changed"),
        (
            JOBS.replace("ref: refs/heads/main", "event_name: pull_request"),
            "10:40: jobs[0].claims: event_name cannot be pull_request",
        ),
        ("jobs:\n  - {name: ci, issuer: gitlab}\n", "10:5: jobs[0].claims: is missing: without"),
        ("jobs:\n  - {name: ci, issuer: x, claims: [a]}\n", "10:35: jobs[0].claims: must be a m"),
        (
            "jobs:\n  - {name: ci, issuer: static}\n  - {name: ci, issuer: static}\n",
            "11:12: jobs[1].name: there is a job ci already, on line 10",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(rows: str, words: str) -> None:
    """With what would be right."""
    with pytest.raises(ConfigError) as caught:
        load_config((START + rows).encode())
    (reason,) = caught.value.reasons
    assert reason.startswith(f"gitops.yaml:{words}"), reason


def test_everything_is_said_at_once() -> None:
    """A row that is wrong hides nothing of another."""
    bad = ACCESS.replace("hold", "x").replace("production", "y").replace("group:", "nobody:")
    with pytest.raises(ConfigError) as caught:
        load_config((START + bad + JOBS.replace("'74'", "7")).encode())
    assert 4 == len(caught.value.reasons)


def test_the_schema_agrees() -> None:
    """Editors accept what is read, refuse what is not, and know the same acts."""
    schema = config_schema()
    jsonschema.validate(yaml.safe_load(START + ACCESS + JOBS), schema)
    for bad in (JOBS.replace("'74'", "74"), ACCESS.replace("group:", "nobody:")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(START + bad), schema)
    rows = schema["properties"]["access"]["items"]  # type: ignore[index]
    assert list(ACTS) == rows["properties"]["may"]["items"]["enum"]
