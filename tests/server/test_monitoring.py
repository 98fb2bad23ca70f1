"""Real Prometheus and Alertmanager: a bad release raises an alert, stage goes back, it recovers,
and a mail server and a hook hear of each once.

The rules that we ship are tested by promtool, the dashboard's queries run on that Prometheus.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from gitops.server.service import Service
from gitops.server.settings import parse_settings
from manifests import Manifests
from servers.lanes import need
from servers.loopback import Handler, Loopback
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


class Ears:
    """A mail server and a hook of a chat, and the titles that each heard."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.hooked: list[str] = []
        outer = self

        class Hook(Handler):
            def do_POST(self) -> None:
                outer.hooked.append(json.loads(self.read_body())["title"])
                self.say(200, [], b"{}")

        self._hook = Loopback(Hook)
        self._mail = Controller(self, hostname="127.0.0.1", port=free_port(set()))

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        told = message_from_bytes(envelope.content, policy=default)
        self.mails.append(str(told["Subject"]))
        return "250 OK"

    def __enter__(self) -> Ears:
        self._hook.__enter__()
        self._mail.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._mail.stop()
        self._hook.__exit__(None, None, None)

    @property
    def both(self) -> tuple[list[str], list[str]]:
        """What each of the two heard."""
        return self.mails, self.hooked

    @property
    def channels(self) -> str:
        """The channel of the server's settings."""
        who = "from=g@example.com&to=oncall@example.com&mode=insecure"
        mail = f"mailto://127.0.0.1:{self._mail.port}/?{who}"
        hook = f"json://127.0.0.1:{self._hook.port}/"
        return f'channels:\n  - {{name: oncall, to: ["{mail}", "{hook}"]}}\n'


class Monitoring:
    """Prometheus, which scrapes a server and the shop, and Alertmanager, which calls it."""

    def __init__(self, folder: Path, server: int, shop: int) -> None:
        taken: set[int] = {server, shop}
        self._shop = shop
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
            "scrape_configs": [
                {"job_name": "gitops", "static_configs": [job]},
                {
                    "job_name": "shop",
                    "static_configs": [{"targets": [f"127.0.0.1:{self._shop}"]}],
                },
            ],
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
    hooks = f"hooks: [{{kind: alertmanager, name: main, secret: {SECRET}}}]\n"
    file = parse_settings((hooks + ears.channels).encode(), "settings.yaml")
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
    monitoring = Monitoring(tmp_path, port, shop.port)
    with shop:
        monitoring.start()
        try:
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
            await_(lambda: all(any(well in one for one in heard) for heard in ears.both))
            still = manifests.git("rev-parse", "main").strip()
            # What is told after it shows that nothing was told again before.
            assert 0 == manifests.gitops("hold", "dev", "--reason", "INC-42").code
            service.board.wake()
            await_(lambda: all(any("held" in one for one in heard) for heard in ears.both))
        finally:
            monitoring.stop()

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
