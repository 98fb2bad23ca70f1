"""Real Prometheus and Alertmanager beside a gitops server, and those who hear of what it does."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from servers.loopback import Handler, Loopback
from servers.processes import Processes, free_port
from servers.programs import find_program

SECRET = "0123456789abcdef"
HOOKS = f"hooks: [{{kind: alertmanager, name: main, secret: {SECRET}}}]\n"
"""Of the server's settings: where Alertmanager may call."""


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

    def have(self, words: str) -> bool:
        """Say whether both heard of something that is told in these words."""
        return all(any(words in one for one in heard) for heard in self.both)

    @property
    def channels(self) -> str:
        """The channel `oncall` of the server's settings."""
        who = "from=g@example.com&to=oncall@example.com&mode=insecure"
        mail = f"mailto://127.0.0.1:{self._mail.port}/?{who}"
        hook = f"json://127.0.0.1:{self._hook.port}/"
        return f'channels:\n  - {{name: oncall, to: ["{mail}", "{hook}"]}}\n'


class Monitoring:
    """Prometheus, which scrapes a server and what it is about, and Alertmanager, which calls it.

    A context manager.

    Args:
        server: the port of the gitops server.
        others: further ports whose `/metrics` are scraped.
        rules: of Prometheus, as YAML.
    """

    def __init__(self, folder: Path, server: int, others: Sequence[int], rules: str) -> None:
        taken: set[int] = {server, *others}
        self._folder = folder
        self._processes = Processes(folder)
        self._ports = {name: free_port(taken) for name in ("prometheus", "alertmanager")}
        self._server = server
        self._others = others
        self._rules = rules

    def __enter__(self) -> Monitoring:
        alertmanager = f"127.0.0.1:{self._ports['alertmanager']}"
        prometheus = f"127.0.0.1:{self._ports['prometheus']}"
        (self._folder / "rules.yml").write_text(self._rules)
        scraped = [f"127.0.0.1:{port}" for port in (self._server, *self._others)]
        settings: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self._folder / "rules.yml")],
            "scrape_configs": [{"job_name": "all", "static_configs": [{"targets": scraped}]}],
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
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.stop_all()

    def query(self, text: str) -> Any:
        """Ask Prometheus; its answer."""
        words = urllib.parse.urlencode({"query": text})
        url = f"http://127.0.0.1:{self._ports['prometheus']}/api/v1/query?{words}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
