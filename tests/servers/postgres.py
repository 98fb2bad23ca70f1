"""PostgreSQL of the distribution as a plain process, with one role and one database.

It never runs as root, so where the tests do, it runs as the account that Debian's package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from servers.lanes import need
from servers.processes import free_port
from servers.programs import find_program

USER, PASSWORD, DATABASE = "shop", "planted-password-7c1d", "shop"


class Postgres:
    """A server on a loopback port of its own; a context manager.

    Attributes:
        port: where it listens.
    """

    def __init__(self) -> None:
        need("database")
        # A short path: its socket lies there. Below /tmp, where another account may go.
        self._folder = Path(tempfile.mkdtemp(prefix="gitops-pg-"))
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            names = {one.pw_name: one for one in pwd.getpwall()}
            who = names.get("postgres") or names["nobody"]
            self._account = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
            os.chown(self._folder, who.pw_uid, who.pw_gid)
        self.port = free_port(set())
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Postgres:
        data, word = self._folder / "data", self._folder / "word"
        word.write_text(PASSWORD)
        if self._account:
            os.chown(word, self._account["user"], self._account["group"])
        self._run(
            *("initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={word}"),
            *("--auth=scram-sha-256", "--no-sync", "--no-instructions", "--encoding=UTF8"),
            "--no-locale",
        )
        command = [
            *(str(find_program("postgres")), "-D", str(data), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"),
            *("-c", "fsync=off", "-c", "shared_buffers=1MB", "-c", "max_connections=20"),
        ]
        with (self._folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, **self._account
            )
        give_up = monotonic() + 30
        while self._ask("postgres", f"CREATE DATABASE {DATABASE}").returncode != 0:
            said = (self._folder / "log").read_text()
            assert monotonic() < give_up, said
            assert self._server.poll() is None, said
            sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def query(self, text: str) -> list[str]:
        """Return the rows of an answer, `|` between their columns."""
        done = self._ask(DATABASE, text)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def _ask(self, database: str, text: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **{"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER},
            **{"PGPASSWORD": PASSWORD, "PGDATABASE": database, "PATH": os.environ["PATH"]},
        }
        command = [str(find_program("psql")), "-X", "-A", "-t", "-q", "-c", text]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(find_program(program)), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, **self._account
        )
        assert done.returncode == 0, done.stderr
