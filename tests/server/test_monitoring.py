"""Real Prometheus and Alertmanager: a bad release raises an alert, stage goes back, it recovers,
and a mail server and a hook hear of each once.

The rules that we ship are tested by promtool, the dashboard's queries run on that Prometheus.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from gitops.server.service import Service
from gitops.server.settings import parse_settings
from manifests import Manifests
from servers.lanes import need
from servers.loopback import Handler, Loopback
from servers.monitoring import HOOKS, Ears, Monitoring
from servers.programs import find_program

sys.path.insert(0, str(Path(__file__).parent))
from live import serving
from test_alerts import ALERTS

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = """\
groups:
  - name: errors
    interval: 1s
    rules:
      - alert: Errors
        expr: >-
          shop_errors > 0 and on ()
          time() - gitops_release_timestamp_seconds{environment="stage"} < 1800
        labels: {env: stage}
        annotations: {summary: every request fails}
"""


def test_rules_that_are_shipped() -> None:
    """promtool takes them, and they fire and end when their tests say so."""
    need("monitoring")
    for words in (
        ("check", "rules", "gitops-rules.yaml"),
        ("test", "rules", "gitops-rules-test.yaml"),
    ):
        done = subprocess.run(
            [str(find_program("promtool")), *words],
            cwd=MONITORING,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr


class Shop(Loopback):
    """What runs in stage, as far as monitoring sees it: 1.5.1 fails, and so do requests that were
    begun before it was gone, until they are over.

    Attributes:
        is_over: no such request is left.
    """

    def __init__(self, manifests: Manifests) -> None:
        self.is_over = threading.Event()
        outer = self

        class Metrics(Handler):
            def do_GET(self) -> None:
                bad = "1.5.1" in manifests.file("overlays/stage/kustomization.yaml")
                errors = int(bad or not outer.is_over.is_set())
                text = f"shop_errors {errors}\n"
                self.say(200, [("Content-Type", "text/plain; version=0.0.4")], text.encode())

        super().__init__(Metrics)


@pytest.fixture
def ears() -> Iterator[Ears]:
    """Who hears of it."""
    need("monitoring")
    with Ears() as made:
        yield made


@pytest.fixture
def served(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch, ears: Ears
) -> Iterator[tuple[Service, int]]:
    """A server with a hook for Alertmanager, and its port."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    file = parse_settings((HOOKS + ears.channels).encode(), "settings.yaml")
    with serving(str(manifests.path), every=1.0, file=file) as service:
        yield service, service.settings.listen.port


def test_a_bad_release_goes_back(
    manifests: Manifests, served: tuple[Service, int], ears: Ears, tmp_path: Path
) -> None:
    """From the metric of a release to the alert, to the commit that restores the stable one: once,
    though the alert goes on, until it is resolved. A mail server and a hook hear of the rollback
    and of the recovery, once each; the dashboard's queries find what they ask for."""
    from cli.commands.test_qa import deploy, record

    service, port = served
    text = manifests.file("gitops.yaml")
    row = '    accepts: ["release/{version}"]\n    deploy: auto '
    text = text.replace(row, f"    onAlert: rollback\n{row}") + ALERTS
    manifests.commit("Go back", {"gitops.yaml": f"{text}notify: [{{channel: oncall}}]\n"})
    service.board.wake()
    await_(lambda: "gitops/told" in manifests.git("branch", "--list"))  # what was is no news
    good = deploy(manifests, "1.5.0")
    record(manifests, good, "stable")
    deploy(manifests, "1.5.1")
    shop = Shop(manifests)
    with shop, Monitoring(tmp_path, port, [shop.port], RULES) as monitoring:
        await_(lambda: "Gitops-Alert" in manifests.git("log", "-1", "--format=%B", "main"))
        head = manifests.git("rev-parse", "main").strip()
        await_(lambda: len(service.alerts.taken()) > 1)  # it came again
        dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
        answers = {
            target["expr"]: monitoring.query(target["expr"].replace("$environment", ".*"))
            for panel in dashboard["panels"]
            for target in panel["targets"]
        }
        shop.is_over.set()
        back, well = "rolled back", "has recovered"
        await_(lambda: ears.have(well))
        still = manifests.git("rev-parse", "main").strip()
        # What is told after it shows that nothing was told again before.
        assert 0 == manifests.gitops("hold", "dev", "--reason", "INC-42").code
        service.board.wake()
        await_(lambda: ears.have("held"))

    message = manifests.git("log", "-1", "--format=%B", head)
    assert f"Gitops-Restores: {good}" in message
    assert "Gitops-Alert: Errors " in message
    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    assert head == still
    for heard in ears.both:
        told = [one for one in heard if "stage" in one]
        assert [back in told[0], well in told[1], len(told)] == [True, True, 2], heard
    assert {"success"} == {one["status"] for one in answers.values()}
    empty = [expr for expr, one in answers.items() if not one["data"]["result"]]
    assert [] == empty


def await_(question: Any) -> None:
    """Wait until it is so."""
    end = monotonic() + 60
    while not question():
        assert monotonic() < end
        sleep(0.2)
