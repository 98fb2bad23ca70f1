"""A real OpenSSH server on the loopback, with keys, configuration and known hosts of its own."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from servers.programs import find_program

_SEPARATION = Path("/run/sshd")  # what sshd, run by root, wants to find
_SECONDS = 10.0
_TRIES = 3  # somebody else may take the port in between

_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
KexAlgorithms curve25519-sha256
AcceptEnv GIT_PROTOCOL
SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
"""
_CLIENT = """\
UserKnownHostsFile {folder}/known
GlobalKnownHostsFile /dev/null
IdentityFile {folder}/client
IdentitiesOnly yes
IdentityAgent none
LogLevel ERROR
KexAlgorithms curve25519-sha256
PreferredAuthentications publickey
"""


class SshServer:
    """`sshd` for the account that runs the tests; a context manager.

    Attributes:
        folder: its files; `known` holds the host keys that the client trusts, `authorized` the
            keys that may sign in, `log` what it says.
        port: where it listens.
        bin: to be put first on PATH: an `ssh` that reads a configuration of ours. OpenSSH takes
            the home of the account, whatever HOME says, so nothing else keeps it away from there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.bin = folder / "bin"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host", "client"):
            key = str(folder / name)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True
            )
        (folder / "authorized").write_text((folder / "client.pub").read_text())
        (folder / "client.conf").write_text(_CLIENT.format(folder=folder))
        self.bin.mkdir()
        ssh = self.bin / "ssh"
        real = shlex.quote(find_program("ssh") or "ssh")
        ssh.write_text(f'#!/bin/sh\nexec {real} -F {shlex.quote(f"{folder}/client.conf")} "$@"\n')
        ssh.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which `ssh` is ours."""
        return {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    def url(self, path: Path) -> str:
        """Return the address of a folder of this machine."""
        return f"ssh://127.0.0.1:{self.port}{path}"

    def trust(self) -> None:
        """Let the client know the key of the host."""
        kind, key, _ = (self.folder / "host.pub").read_text().split()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            _SEPARATION.mkdir(mode=0o755, exist_ok=True)
        for _ in range(_TRIES):
            if self._start():
                self.trust()
                return self
        raise AssertionError(f"sshd did not start: {(self.folder / 'log').read_text()}")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _start(self) -> bool:
        """Start it on a port that was free a moment ago; False when it ended at once."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = self.folder / "server.conf"
        config.write_text(_SERVER.format(folder=self.folder, port=self.port))
        program = find_program("sshd")
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=log
            )
        give_up = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < give_up:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as line:
                return line.recv(4) == b"SSH-"
            time.sleep(0.01)
        return False
