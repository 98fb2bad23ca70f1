"""Calls for the server's writer, and a repository that they are about."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold, resume
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.qa import QaRequest, qa
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.core.git.commit import Identity, timed_id
from gitops.core.report import WriteReport
from gitops.server.writer.order import CallOrder
from gitrepos import Repo

CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main]}
  - {name: prod, overlay: "apps/{app}/overlays/prod", accepts: ["release/*"], after: [dev]}
"""
ANA = Identity("Ana", "ana@example.com")


def path_of(app: str, environment: str = "dev") -> str:
    """Where the overlay of an app lies."""
    return f"apps/{app}/overlays/{environment}/kustomization.yaml"


def overlay(image: str, tag: str) -> bytes:
    """A kustomization that pins one image."""
    return f"images:\n  - name: {image}\n    newTag: '{tag}'\n".encode()


def crowd(repo: Repo, apps: int = 8) -> Repo:
    """Commit some apps, `a0` and so on, each with the image `shop/a0`."""
    files: dict[str, bytes | None] = {"gitops.yaml": CONFIG}
    for number in range(apps):
        for environment in ("dev", "prod"):
            files[path_of(f"a{number}", environment)] = overlay(f"shop/a{number}", "1")
    repo.commit(files)
    return repo


def new_id() -> str:
    """Return an id as clients make it."""
    return timed_id(time.time(), os.urandom(10))


def order(
    verb: str, run: Callable[[Session], WriteReport], name: str | None = None, body: str = ""
) -> CallOrder:
    """Return a call of Ana's."""
    via = (("Gitops-Via", "server"), ("Gitops-Actor", "user:ana@example.com"))
    return CallOrder(name or new_id(), verb, verb + body, run, author=ANA, trailers=via)


def deploying(image: str, name: str | None = None, to: str = "dev") -> CallOrder:
    """Put an image into an environment."""
    request = DeployRequest(images=(image,), to=(to,))
    return order("deploy", lambda session: deploy(session, request), name, image + to)


def holding(app: str) -> CallOrder:
    """Hold an overlay."""
    named = Named((f"{app}/dev",))
    return order("hold", lambda session: hold(session, named, reason="INC-1"), body=app)


def resuming(app: str) -> CallOrder:
    """Lift the hold of an overlay."""
    return order("resume", lambda session: resume(session, Named((f"{app}/dev",))), body=app)


def going_back(app: str, bad: str | None = None) -> CallOrder:
    """Roll an overlay back."""
    request = RollbackRequest(Named((f"{app}/dev",)), bad=bad)
    return order("rollback", lambda session: rollback(session, request), body=f"{app}{bad}")


def judging(
    app: str, release: str, verdict: str = "qa-passed", name: str | None = None
) -> CallOrder:
    """Put a verdict on a release of an overlay into the ledger."""
    request = QaRequest(named=Named((f"{app}/dev",)), verdict=verdict, release=release)
    return order("qa", lambda session: qa(session, request), name, body=app + verdict)


def promoting(app: str, to: str) -> CallOrder:
    """Carry on what dev has."""
    request = PromoteRequest(to=(f"{app}/{to}",))
    return order("promote", lambda session: promote(session, request), body=app + to)


def approving(app: str, environment: str, name: str | None = None) -> CallOrder:
    """Let a proposal in."""
    request = ApproveRequest(Named((f"{app}/{environment}",)))
    return order("approve", lambda session: approve(session, request), name, body=app)
