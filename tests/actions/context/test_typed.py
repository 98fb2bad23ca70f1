"""Commands that people are told to type: of this app, and safe in a shell."""

from __future__ import annotations

import shlex

import pytest

from gitops.actions.argocd.cluster_actions import notice_of
from gitops.actions.context.together import typed_without
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import Hold
from gitops.core.notifications.event import Event
from gitops.core.notifications.words import body_of
from gitops.core.proposals.comments import render_rolled_back

PROD = Environment("prod", "apps/{app}/prod")
WEB = Overlay(PROD, "web")


def test_the_way_out_of_a_hold_names_the_app() -> None:
    """`gitops resume prod` would be about every app of it, or refused."""
    comment = render_rolled_back(WEB, "Ana", restores="a" * 40, commit=None, reason=None)

    assert "gitops resume prod --app web" in comment
    assert notice_of(WEB, Hold("Ana", None, "INC-42")).endswith(
        "(gitops resume prod --app web lifts it)"
    )


@pytest.mark.parametrize("app", ["w" * 250, "'" * 250])
def test_a_notice_is_as_long_as_argo_cd_shows(app: str) -> None:
    """Whatever a folder is called."""
    notice = notice_of(Overlay(PROD, app), Hold("Ana", None, "x" * 500))

    assert notice.startswith("gitops: held by Ana: x")
    assert len(notice) <= 500


def test_an_approval_names_all_that_is_proposed_together() -> None:
    """Approving one of several is refused, and an environment alone is no app of it."""
    event = Event("1", "proposal", ("web/prod", "api/prod"), "waits for approval")

    assert body_of(event, None).endswith("gitops approve web/prod api/prod")


@pytest.mark.parametrize("name", ["web", "web.v2_a-b", "caf\u00e9", "a b", "a;rm -rf .", "$(id)"])
def test_names_of_folders_are_words_of_a_shell(name: str) -> None:
    """A folder may be called anything."""
    assert ["prod", "--app", name] == shlex.split(Overlay(PROD, name).typed)


def test_branches_are_words_of_a_shell() -> None:
    """Whoever may push to a source repository names its branches."""
    words = ["deploy", "shop/*:1", "--ref", "a;$(id)"]
    told = typed_without(words, ["web/dev", "web/prod"], ["web/prod"]) or ""

    assert ["gitops", *words, "--to", "web/dev"] == shlex.split(told.split("`")[1])
