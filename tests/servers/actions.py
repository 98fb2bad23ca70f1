"""A runner for the Actions of a real Gitea: it fetches tasks, which the engine of act_runner runs.

act_runner itself is no module that the Go proxy has (decision 158). What it adds to the engine is
this protocol (Connect, as JSON), the context of a task, and the log. Steps run on this machine, in
an environment of their own: what act calls the host mode.
"""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from servers.direct import ask
from servers.gitea import GiteaServer
from servers.store import program

LABEL = "host"
"""What `runs-on` says of the jobs that this runner takes."""

_CONTEXT = {
    **{"GITHUB_REPOSITORY": "repository", "GITHUB_REPOSITORY_OWNER": "repository_owner"},
    **{"GITHUB_REF": "ref", "GITHUB_REF_NAME": "ref_name", "GITHUB_REF_TYPE": "ref_type"},
    **{"GITHUB_HEAD_REF": "head_ref", "GITHUB_BASE_REF": "base_ref", "SHA_REF": "sha"},
    **{"GITHUB_RUN_ID": "run_id", "GITHUB_RUN_NUMBER": "run_number"},
}


@dataclass(frozen=True)
class Job:
    """What became of a task.

    Attributes:
        name: of the job in the workflow, as the server calls it.
        code: the engine's exit code, 0 where every step was done.
        log: what it printed, as the server has it.
    """

    name: str
    code: int
    log: str


@dataclass(frozen=True)
class ActionsRunner:
    """A runner of one repository."""

    server: GiteaServer
    folder: Path
    headers: Mapping[str, str]

    @classmethod
    def register(cls, server: GiteaServer, repository: str, folder: Path) -> ActionsRunner:
        """Have the server know a new runner, which takes the jobs of `owner/name`."""
        path = f"/repos/{repository}/actions/runners/registration-token"
        token = server.call("POST", path, user=repository.split("/", maxsplit=1)[0])["token"]
        nobody = cls(server, folder, {})
        told = nobody._call("Register", {"name": "tests", "token": token, "labels": [LABEL]})
        known = {"x-runner-uuid": told["runner"]["uuid"], "x-runner-token": told["runner"]["token"]}
        runner = cls(server, folder, known)
        runner._call("Declare", {"version": "tests", "labels": [LABEL]})
        return runner

    def run_next(self, environ: Mapping[str, str], *, seconds: float = 60) -> Job:
        """Wait for a task, run it with what `environ` says beside PATH, and report it.

        AssertionError when there is none in time.
        """
        task = self.server.wait_for(self._fetch, seconds=seconds)
        number = int(task["id"])
        begun = datetime.now(UTC)
        name = str(task["context"].get("job", ""))
        code, log = self._engine(task, self.folder / f"task-{number}", environ)
        now = datetime.now(UTC)
        rows = [{"time": _time(now), "content": line} for line in log.splitlines()]
        told = {"taskId": number, "index": 0, "rows": rows, "noMore": True}
        self._call("UpdateLog", told)
        result = "RESULT_FAILURE" if code else "RESULT_SUCCESS"
        times = {"startedAt": _time(begun), "stoppedAt": _time(now)}
        self._call("UpdateTask", {"state": {"id": number, "result": result, **times}})
        return Job(name, code, log)

    def _fetch(self) -> Any:
        # Version 0 is none that the server has: it looks for a task each time.
        return self._call("FetchTask", {"tasksVersion": 0}).get("task")

    def _engine(self, task: Any, place: Path, environ: Mapping[str, str]) -> tuple[int, str]:
        """Run the workflow of a task; return the exit code and the log."""
        context, work = task["context"], place / "work"
        work.mkdir(parents=True)
        secrets = task.get("secrets", {})
        files = {
            "workflow.yml": b64decode(task["workflowPayload"]).decode(),
            "event.json": json.dumps(context["event"]),
            "secrets": _lines(secrets),
            "variables": _lines(task.get("vars", {})),
            "environment": _lines(
                {"GITEA_ACTIONS": "true"}
                | {name: str(context.get(word, "")) for name, word in _CONTEXT.items()}
            ),
        }
        for name, text in files.items():
            (place / name).write_text(text)
        done = subprocess.run(
            [
                *(str(program("act")), context["event_name"], "-C", str(work)),
                *("-W", str(place / "workflow.yml"), "--eventpath", str(place / "event.json")),
                *("--secret-file", str(place / "secrets"), "--var-file", str(place / "variables")),
                *("--env-file", str(place / "environment"), "--input-file", os.devnull),
                *("--actor", context["actor"], "--github-instance", self.server.url),
                *("--action-cache-path", str(self.folder / "actions"), "--no-cache-server"),
                *("-P", f"{LABEL}=-self-hosted", "--pull=false"),
            ],
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def _call(self, method: str, message: Any) -> Any:
        """Call the server's service for runners."""
        url = f"{self.server.url}/api/actions/runner.v1.RunnerService/{method}"
        told = {"Content-Type": "application/json", **self.headers}
        status, answer = ask("POST", url, json.dumps(message).encode(), told)
        assert status == 200, f"{method}: {status} {answer}"
        return answer


def _lines(values: Mapping[str, str]) -> str:
    """Return variables as a file of them; no value of the tests has a line break or a quote."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _time(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
