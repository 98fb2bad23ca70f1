"""What happened in the shop these nine days: every step is one call of the real actions."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gitops.actions.context.named import Named
from gitops.core.environments.environment import split_label
from gitops.server.authorship import session_for
from gitops.server.demo.people import ANA, BEN, CARA, CI, EVERYBODY, WATCHER

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.core.releases.release import Health
    from gitops.server.identity.person import Person

_DAYS = timedelta(days=9)


APPS: Mapping[str, str] = {
    "api": "1.3.4",
    "mail": "2.0.1",
    "payments": "3.9.0",
    "search": "0.18.2",
    "web": "5.1.0",
    "worker": "1.3.4",
}
"""App -> the tag that it begins with."""

ENVIRONMENTS = ("dev", "test", "stage", "prod")

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main], deploy: auto}
  - {name: test, overlay: "apps/{app}/overlays/test", accepts: [main], deploy: auto}
  - name: stage
    overlay: apps/{app}/overlays/stage
    accepts: ["release/{version}"]
    deploy: auto
    database: real
  - name: prod
    overlay: apps/{app}/overlays/prod
    accepts: ["release/{version}"]
    change: pull-request
    rollback: commit
    after: [stage]
    requires: [qa-passed]
    database: real
"""


def first_files() -> dict[str, str]:
    """Return path -> content of the first commit."""
    files = {"gitops.yaml": CONFIG}
    for app, tag in APPS.items():
        base = f"apps/{app}/base"
        files[f"{base}/kustomization.yaml"] = "resources:\n  - deployment.yaml\n"
        files[f"{base}/deployment.yaml"] = _deployment(app)
        for environment in ENVIRONMENTS:
            files[f"apps/{app}/overlays/{environment}/kustomization.yaml"] = (
                f"namespace: shop-{environment}\n"
                "resources:\n  - ../../base\n"
                f"images:\n  - name: shop/{app}\n    newTag: {tag}\n"
            )
    return files


def make_repository(folder: Path, when: datetime) -> Path:
    """Make a bare repository with the first commit, of `when`, and return its path."""
    path = folder / "shop.git"
    _git("init", "-q", "--bare", "-b", "main", str(path))
    message = "Start with what runs\n"
    who = f"{ANA.name} <{ANA.email}> {int(when.timestamp())} +0000"
    stream = [f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n"]
    stream.append(f"data {len(message)}\n{message}\n")
    for name, content in first_files().items():
        stream.append(f"M 100644 inline {name}\ndata {len(content.encode())}\n{content}\n")
    _git(f"--git-dir={path}", "fast-import", "--quiet", feed="".join(stream))
    return path


def _deployment(app: str) -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{name: {app}}}\n"
        "spec:\n"
        f"  selector: {{matchLabels: {{app: {app}}}}}\n"
        "  template:\n"
        f"    metadata: {{labels: {{app: {app}}}}}\n"
        f"    spec: {{containers: [{{name: {app}, image: shop/{app}}}]}}\n"
    )


def _git(*arguments: str, feed: str | None = None) -> None:
    subprocess.run(["git", *arguments], input=feed, text=True, check=True, capture_output=True)


class _StoryClock:
    """Tells the time at which a step of the story happened."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return time.monotonic()

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        time.sleep(random.uniform(shortest, longest))  # noqa: S311


class _Teller:
    """Tells the story, step by step; each step has a time, in minutes before now."""

    def __init__(self, open_session: Callable[[], Session], now: datetime) -> None:
        self._open = open_session
        self._now = now

    def as_of(self, person: Person, minutes: float) -> Session:
        session = self._open()
        clock = _StoryClock(self._now - timedelta(minutes=minutes))
        return session_for(replace(session, clock=clock), person, None)

    def build(self, minutes: float, image: str, ref: str = "main") -> None:
        """CI built an image of a branch, and says so."""
        from gitops.actions.deploy import DeployRequest, deploy

        deploy(self.as_of(CI, minutes), DeployRequest((f"shop/{image}",), ref=ref))

    def promote(self, minutes: float, app: str, *, who: Person = ANA, why: str = "") -> None:
        from gitops.actions.promote import PromoteRequest, promote

        request = PromoteRequest((f"{app}/prod",), reason=why or None)
        promote(self.as_of(who, minutes), request)

    def approve(self, minutes: float, app: str, *, who: Person = BEN) -> None:
        from gitops.actions.approve import approve
        from gitops.actions.pull_requests.decide import ApproveRequest

        approve(self.as_of(who, minutes), ApproveRequest(Named((f"{app}/prod",))))

    def qa(self, minutes: float, app: str, *, note: str = "", passed: bool = True) -> None:
        from gitops.actions.qa import QaRequest, qa

        request = QaRequest(
            Named((f"{app}/stage",)),
            "qa-passed" if passed else "qa-failed",
            release="newest",
            note=note or None,
        )
        qa(self.as_of(CARA, minutes), request)

    def seen(self, minutes: float, label: str, verdict: Health, why: str | None = None) -> None:
        """A watcher saw what became of the newest release."""
        from gitops.actions.argocd.verdicts import record_verdict
        from gitops.actions.context.named import find_overlay
        from gitops.actions.context.policy_branch import open_tip
        from gitops.actions.context.view import view_of
        from gitops.actions.releases.history import releases_of

        session = self.as_of(WATCHER, minutes)
        tip = open_tip(session)
        view = view_of(session, tip, find_overlay(tip, *split_label(label)))
        record_verdict(view, next(releases_of(view)), verdict, (), reason=why)

    def roll_back(self, minutes: float, label: str, why: str, *, who: Person = ANA) -> None:
        from gitops.actions.releases.rollback_plan import RollbackRequest
        from gitops.actions.rollback import rollback

        rollback(self.as_of(who, minutes), RollbackRequest(Named((label,)), reason=why))

    def hold(self, minutes: float, label: str, why: str, *, who: Person) -> None:
        from gitops.actions.hold import hold

        hold(self.as_of(who, minutes), Named((label,)), reason=why)


def tell_story(folder: Path) -> Path:
    """Make the repository of the story in `folder`, and return its path."""
    from gitops.wiring import open_kept

    now = datetime.now(UTC)
    path = make_repository(folder, now - _DAYS)
    with open_kept(str(path)) as session:
        teller = _Teller(session, now)
        _first_week(teller)
        _yesterday(teller)
        _today(teller)
    return path


def _first_week(tell: _Teller) -> None:
    """Everything moves on, and all is well."""
    day = 24 * 60
    for app in APPS:
        tell.seen(8.8 * day, f"{app}/prod", "stable")
    for at, app, tag in [(7.9, "api", "1.4.0"), (7.7, "web", "5.2.0"), (6.2, "search", "0.19.0")]:
        tell.build(at * day, f"{app}:{tag}")
        tell.build((at - 0.4) * day, f"{app}:{tag}", "release/24")
        tell.qa((at - 0.9) * day, app, note="regression suite, 214 cases")
        tell.promote((at - 1.1) * day, app)
        tell.approve((at - 1.12) * day, app)
        tell.seen((at - 1.13) * day, f"{app}/stage", "stable")
        tell.seen((at - 1.2) * day, f"{app}/prod", "stable")


def _yesterday(tell: _Teller) -> None:
    """A release candidate; one of its apps does not do well on stage."""
    hour = 60
    for at, image in [(31.0, "api:1.5.0"), (30, "worker:1.4.0"), (29, "payments:4.0.0")]:
        tell.build(at * hour, image)
    for at, image in [(27.0, "api:1.5.0"), (26.8, "worker:1.4.0"), (26.5, "payments:4.0.0")]:
        tell.build(at * hour, image, "release/25")
    tell.seen(26 * hour, "api/stage", "stable")
    tell.seen(25.9 * hour, "worker/stage", "stable")
    tell.qa(24 * hour, "api", note="checkout and refunds by hand")
    tell.qa(23.5 * hour, "worker")
    tell.qa(22 * hour, "payments", note="SHOP-1290: refunds are booked twice", passed=False)


def _today(tell: _Teller) -> None:
    """The night: checkout fails on prod, Ana goes back; the rest waits."""
    tell.promote(200, "api", why="release 25")
    tell.approve(190, "api")
    tell.build(165, "web:5.3.0")
    tell.build(160, "api:1.5.1")
    tell.build(120, "mail:2.1.0")
    tell.hold(95, "search/test", "load test until 18:00", who=EVERYBODY)
    tell.seen(52, "api/prod", "degraded", "Deployment api: CrashLoopBackOff (2 of 4 pods)")
    tell.roll_back(48, "api/prod", "INC-42: checkout fails for one in five")
    tell.seen(43, "api/prod", "stable")
    tell.promote(35, "worker", who=EVERYBODY, why="release 25")
    tell.build(14, "web:5.3.1")
    tell.build(9, "web:5.3.1", "release/25")
    tell.seen(4, "web/dev", "degraded", "Deployment web: ImagePullBackOff")
