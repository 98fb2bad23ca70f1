"""How long an alert takes: from Alertmanager's POST to the commit that goes back."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kill import new_id
from page_server import PageProcess
from repositories import data, fast_import, git

_APPS = 20  # released lately: one alert is no breakdown of all
_ENVIRONMENTS = 5  # each has a limit of its own
_SECRET = "0123456789abcdef"
_SETTINGS = f"hooks:\n  - {{kind: alertmanager, name: main, secret: {_SECRET}}}\n"


def measure_alerts(root: Path, gitops: Sequence[str], base: str) -> float:
    """Return the median seconds from the POST to its answer, which comes after the commit."""
    repository = _built(root / "alerts.git")
    settings = root / "settings.yaml"
    settings.write_text(_SETTINGS)
    settings.chmod(0o600)
    url = f"{base}/{repository.name}"
    seconds = []
    with PageProcess(root, list(gitops), url, None, "--settings", str(settings)) as served:
        for turn in range(2):
            _deploy(served, f"1.{turn}", [f"a{app}" for app in range(_APPS)])
            if not turn:
                _call_stable(repository)
        for number in range(_ENVIRONMENTS):
            before = _head(repository)
            begun = time.perf_counter()
            answer = served.hook("/hooks/alertmanager/main", _alert(number), _SECRET)
            seconds.append(time.perf_counter() - begun)
            if _head(repository) == before:
                raise SystemExit(f"an alert did not go back: {answer!r}")
    return statistics.median(seconds)


def _built(path: Path) -> Path:
    names = [f"e{number}" for number in range(_ENVIRONMENTS)]
    rows = "".join(
        f'  - {{name: {name}, overlay: "apps/{{app}}/{name}", onAlert: rollback}}\n'
        for name in names
    )
    config = (
        f"apiVersion: gitops/v1\nkind: Config\nbranch: main\nenvironments:\n{rows}alerts:\n"
        "  - {name: errors, match: {kind: errors}, environment: {label: env}, "
        "app: {label: app}, within: 30m}\n"
    )
    files = {"gitops.yaml": config}
    for app in range(_APPS):
        for name in names:
            text = f"images:\n  - name: shop/a{app}\n    newTag: '0'\n"
            files[f"apps/a{app}/{name}/kustomization.yaml"] = text
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    git(path, "config", "http.receivepack", "true")
    _commit(path, "main", "begin", files)
    return path


def _commit(path: Path, branch: str, subject: str, files: dict[str, str]) -> None:
    head = (
        f"commit refs/heads/{branch}\ncommitter B <b@example.com> {int(time.time()) - 60} +0000\n"
    )
    parts = [head.encode(), data(subject)]
    parts += [b"M 100644 inline %b\n%b" % (one.encode(), data(text)) for one, text in files.items()]
    fast_import(path, parts)


def _head(repository: Path) -> str:
    return git(repository, "rev-parse", "refs/heads/main").strip()


def _deploy(served: PageProcess, tag: str, apps: Sequence[str]) -> None:
    for name in (f"e{number}" for number in range(_ENVIRONMENTS)):
        body = {"images": [f"shop/{app}:{tag}" for app in apps], "to": [name]}
        status, answer = served.call("/v1/deploy", body, new_id())
        if status != 200:
            raise SystemExit(f"a deploy did not land: {answer}")


def _call_stable(repository: Path) -> None:
    """Say of the newest release of every overlay that it is stable, as `gitops wait` does."""
    files = {}
    for name in (f"e{number}" for number in range(_ENVIRONMENTS)):
        for app in range(_APPS):
            where = f"apps/a{app}/{name}/kustomization.yaml"
            commit = git(repository, "log", "-1", "--format=%H", "main", "--", where).strip()
            image = {"image": f"shop/a{app}", "name": None, "tag": "1.0", "digest": None}
            line = {
                "commit": commit,
                "verdict": "stable",
                "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "by": "wait",
                "images": [image],
                "machine": True,
            }
            files[f"a{app}/{name}.jsonl"] = json.dumps(line) + "\n"
    _commit(repository, "gitops/ledger", "stable", files)


def _alert(number: int) -> dict[str, Any]:
    now = datetime.now(UTC) + timedelta(seconds=1)
    labels = {
        "alertname": f"Errors{number}",
        "kind": "errors",
        "env": f"e{number}",
        "app": f"a{number}",
    }
    told = {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": now.isoformat(),
        "fingerprint": f"c{number}",
    }
    return {"version": "4", "status": "firing", "alerts": [told], "truncatedAlerts": 0}
