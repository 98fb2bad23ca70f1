"""What people and programs read about pull requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gitops.cli.render.read import print_status
from gitops.cli.render.text import print_write
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import (
    OverlayStatus,
    Proposal,
    Replaced,
    StatusPart,
    StatusReport,
    WriteReport,
)

PROD = Overlay(Environment("prod", "overlays/prod", change="pull-request"))
URL = "https://git.example.com/shop/manifests/pulls/3"
HEAD, OLD = "1" * 40, "2" * 40
PROPOSAL = Proposal(
    PROD,
    "gitops/prod",
    HEAD,
    by="Mona",
    since=datetime(2026, 3, 5, 14, 2, tzinfo=UTC),
    number=3,
    url=URL,
    base="main",
    waits_for=("1 approval (the forge asks for 1)", "check ci/test, which is pending"),
    replaced=Replaced(OLD, "promote", {}),
)


def write(proposal: Proposal) -> WriteReport:
    """The report of a promotion."""
    return WriteReport("promote", "proposed", "main", "memory", commit=HEAD, proposals=(proposal,))


def status(proposal: Proposal) -> StatusReport:
    """The report of `status` with one proposal."""
    row = OverlayStatus(PROD, "main", {"shop/api": ImageValue(tag="1")}, proposals=(proposal,))
    return StatusReport("main", "memory", (StatusPart.of([row]),))


def test_a_write_names_number_and_address(capsys: pytest.CaptureFixture[str]) -> None:
    """A line with the address, to click at."""
    print_write(write(PROPOSAL), "text")

    assert f"#3 open: {URL}\n" in capsys.readouterr().out


def test_a_proposal_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Number, address, what it waits for and what it replaced."""
    print_write(write(PROPOSAL), "json")
    (row,) = json.loads(capsys.readouterr().out)["proposals"]

    assert {
        "number": 3,
        "url": URL,
        "state": "open",
        "waits_for": ["1 approval (the forge asks for 1)", "check ci/test, which is pending"],
        "replaces": OLD,
    } == {key: row[key] for key in ("number", "url", "state", "waits_for", "replaces")}


@pytest.mark.parametrize(
    ("waits", "words"),
    [
        (PROPOSAL.waits_for, "1 approval (the forge asks for 1); check ci/test, which is pending"),
        ((), "nothing: it can be merged"),
    ],
)
def test_status_says_what_it_waits_for(
    capsys: pytest.CaptureFixture[str], waits: tuple[str, ...], words: str
) -> None:
    """Number, since when, by whom, the address, and what is still to come."""
    from msgspec.structs import replace

    print_status(status(replace(PROPOSAL, waits_for=waits)), "text")

    line = f"! #3 since 2026-03-05 14:02, proposed by Mona: {URL} waits for {words}\n"
    assert line in capsys.readouterr().out
