"""Real Prometheus and Alertmanager: a bad release raises an alert, and stage goes back.

The rules that we ship are tested by promtool, the dashboard's queries run on that Prometheus.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from gitops.server.service import Service
from gitops.server.settings import parse_settings
from manifests import Manifests
from servers.lanes import need
from servers.processes import Processes, free_port
from servers.programs import find_program

sys.path.insert(0, str(Path(__file__).parent))
from live import serving
from test_alerts import ALERTS, SECRET

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = """\
groups:
  - name: errors
    interval: 1s
    rules:
      - alert: Errors
        expr: time() - gitops_release_timestamp_seconds{environment="stage"} < 1800
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


class Monitoring:
    """Prometheus, which scrapes a server, and Alertmanager, which calls it."""

    def __init__(self, folder: Path, server: int) -> None:
        taken: set[int] = {server}
        self._folder = folder
        self._processes = Processes(folder)
        self._ports = {name: free_port(taken) for name in ("prometheus", "alertmanager")}
        self._server = server

    def start(self) -> None:
        """Start both."""
        alertmanager = f"127.0.0.1:{self._ports['alertmanager']}"
        prometheus = f"127.0.0.1:{self._ports['prometheus']}"
        (self._folder / "rules.yml").write_text(RULES)
        job = {"targets": [f"127.0.0.1:{self._server}"]}
        settings: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self._folder / "rules.yml")],
            "scrape_configs": [{"job_name": "gitops", "static_configs": [job]}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        }
        (self._folder / "prometheus.yml").write_text(json.dumps(settings))
        hook = {
            "url": f"http://127.0.0.1:{self._server}/hooks/alertmanager/main",
            "http_config": {"authorization": {"credentials": SECRET}},
        }
        route = {"receiver": "gitops", "group_wait": "0s", "group_interval": "1s"}
        route["repeat_interval"] = "1s"
        receivers = [{"name": "gitops", "webhook_configs": [hook]}]
        told = json.dumps({"route": route, "receivers": receivers})
        (self._folder / "alertmanager.yml").write_text(told)
        self._processes.start(
            "alertmanager",
            [
                str(find_program("prometheus-alertmanager")),
                f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'alerts'}",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
            ],
            {"PATH": "/usr/bin:/bin"},
        )
        self._processes.start(
            "prometheus",
            [
                str(find_program("prometheus")),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={prometheus}",
            ],
            {"PATH": "/usr/bin:/bin"},
        )

    def query(self, text: str) -> Any:
        """Ask Prometheus; its answer."""
        words = urllib.parse.urlencode({"query": text})
        url = f"http://127.0.0.1:{self._ports['prometheus']}/api/v1/query?{words}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """Stop both."""
        self._processes.stop_all()


@pytest.fixture
def served(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, int]]:
    """A server with a hook for Alertmanager, and its port."""
    need("monitoring")
    monkeypatch.setenv("GITOPS_CACHE", "off")
    hooks = f"hooks: [{{kind: alertmanager, name: main, secret: {SECRET}}}]\n"
    file = parse_settings(hooks.encode(), "settings.yaml")
    with serving(str(manifests.path), every=1.0, file=file) as service:
        yield service, service.settings.listen.port


def test_a_bad_release_goes_back(
    manifests: Manifests, served: tuple[Service, int], tmp_path: Path
) -> None:
    """From the metric of a release to the alert, to the commit that restores the stable one: once,
    though the alert goes on; the dashboard's queries find what they ask for."""
    from cli.commands.test_qa import deploy, record

    service, port = served
    text = manifests.file("gitops.yaml")
    row = '    accepts: ["release/{version}"]\n    deploy: auto '
    manifests.commit(
        "Go back", {"gitops.yaml": text.replace(row, f"    onAlert: rollback\n{row}") + ALERTS}
    )
    good = deploy(manifests, "1.5.0")
    record(manifests, good, "stable")
    deploy(manifests, "1.5.1")
    monitoring = Monitoring(tmp_path, port)
    monitoring.start()
    try:
        await_(lambda: "Gitops-Alert" in manifests.git("log", "-1", "--format=%B", "main"))
        head = manifests.git("rev-parse", "main")
        await_(lambda: len(service.alerts.taken()) > 1)  # it came again
        dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
        answers = {
            target["expr"]: monitoring.query(target["expr"].replace("$environment", ".*"))
            for panel in dashboard["panels"]
            for target in panel["targets"]
        }
    finally:
        monitoring.stop()

    message = manifests.git("log", "-1", "--format=%B", "main")
    assert f"Gitops-Restores: {good}" in message
    assert "Gitops-Alert: Errors " in message
    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    assert head == manifests.git("rev-parse", "main")
    assert {"success"} == {one["status"] for one in answers.values()}
    empty = [expr for expr, one in answers.items() if not one["data"]["result"]]
    assert [] == empty


def await_(question: Any) -> None:
    """Wait until it is so."""
    end = monotonic() + 60
    while not question():
        assert monotonic() < end
        sleep(0.2)
