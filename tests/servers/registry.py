"""Debian's docker-registry on loopback ports: one that deletes, one that does not, one with a lock.

`start` runs in a keeper (servers/keeper.py); tests see the servers through `DockerRegistry`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from servers.processes import Processes, free_port
from servers.programs import find_program

USER, PASSWORD = "ana", "swordfish-of-ana"
# bcrypt of the password, as htpasswd -B writes it; the cheapest cost, since every request pays it
_HTPASSWD = "ana:$2b$04$abcdefghijklmnopqrstuus8sqqfVinSUEbWq1Ayk46ZgDOyTeQq6\n"

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/{name}}}
  delete: {{enabled: {deletes}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_LOCK = "auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"


def start(processes: Processes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Start the servers; return what `DockerRegistry` is made from. Raises CannotStartError."""
    folder, ports, taken = processes.folder, {}, set[int]()
    (folder / "htpasswd").write_text(_HTPASSWD)
    for name in ("open", "sealed", "locked"):
        ports[name] = free_port(taken)
        told = _CONFIG + (_LOCK if name == "locked" else "")
        deletes = str(name != "sealed").lower()
        text = told.format(folder=folder, name=name, deletes=deletes, port=ports[name])
        (folder / f"{name}.yml").write_text(text)
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        command = [options["program"], "serve", str(folder / f"{name}.yml")]
        processes.start(name, command, environ)
    for name, port in ports.items():
        processes.wait(name, lambda port=port: _answers(port))
    return {"ports": ports}


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()


@dataclass(frozen=True)
class DockerRegistry:
    """The running servers.

    Attributes:
        open: host and port of the one that takes and deletes everything.
        sealed: of one whose deletion is switched off.
        locked: of one that wants `USER` and `PASSWORD`.
    """

    open: str
    sealed: str
    locked: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> DockerRegistry:
        """Return the servers that `start` described."""
        return cls(**{name: f"127.0.0.1:{port}" for name, port in record["ports"].items()})

    @staticmethod
    def new_path() -> str:
        """Return the path of a repository that nobody else has."""
        return f"shop/api-{uuid.uuid4().hex[:10]}"


def registry_options() -> dict[str, Any]:
    """Return what `start` wants to be told."""
    return {"program": find_program("docker-registry")}
