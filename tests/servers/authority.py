"""A certificate authority of our own, made with openssl."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

DAYS = "3650"


def run_openssl(arguments: Sequence[str]) -> None:
    """Run openssl to its end; it must succeed."""
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class Authority:
    """Keys and certificates in one folder: `NAME.key`, `NAME.crt`, and `ca.crt` that signs them."""

    def __init__(self, folder: Path, run: Callable[[Sequence[str]], object] = run_openssl) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self._run = run
        self.certificate = folder / "ca.crt"
        self._openssl(
            *("req", "-x509", "-new", "-key", self._key("ca"), "-subj", "/CN=gitops-tests"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
            *("-days", DAYS, "-out", str(self.certificate)),
        )

    def issue(self, name: str, subject: str, usage: str) -> Path:
        """Make a key and a certificate; `usage` are its extensions, a line each. Returns it."""
        request, extension = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extension.write_text(f"keyUsage=critical,digitalSignature\n{usage}")
        key = self._key(name)
        self._openssl("req", "-new", "-key", key, "-subj", subject, "-out", str(request))
        made = self.folder / f"{name}.crt"
        self._openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.certificate)),
            *("-CAkey", f"{self.folder}/ca.key", "-CAcreateserial", "-days", DAYS),
            *("-extfile", str(extension), "-out", str(made)),
        )
        return made

    def server(self, *names: str) -> ssl.SSLContext:
        """Return what a server needs to be one of `names` (`DNS:git.example`, `IP:127.0.0.1`)."""
        usage = f"extendedKeyUsage=serverAuth\nsubjectAltName={','.join(names)}\n"
        made = self.issue("server", f"/CN={names[0].partition(':')[2]}", usage)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, made.with_suffix(".key"))
        return context

    def _key(self, name: str) -> str:
        path = str(self.folder / f"{name}.key")
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        return path

    def _openssl(self, *arguments: str) -> None:
        self._run(["openssl", *arguments])
