"""The certificates of a control plane of one machine, made with openssl, and its kubeconfigs."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from servers.authority import Authority
from servers.processes import Processes

_NAMES = (
    *("DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"),
    *("DNS:kubernetes.default.svc.cluster.local", "IP:127.0.0.1", "IP:10.96.0.1"),
)
_CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
}


def make_certificates(processes: Processes, folder: Path, environ: dict[str, str]) -> None:
    """Make ca, apiserver, a client for each component, and the key of service accounts."""

    def run(command: Sequence[str]) -> None:
        processes.run("openssl", command, environ)

    authority = Authority(folder, run)
    usages = {"apiserver": f"extendedKeyUsage=serverAuth\nsubjectAltName={','.join(_NAMES)}\n"}
    usages |= dict.fromkeys(_CLIENTS, "extendedKeyUsage=clientAuth\n")
    for name, usage in usages.items():
        authority.issue(name, _CLIENTS.get(name, "/CN=kube-apiserver"), usage)
    run(["openssl", "genrsa", "-out", str(folder / "service-accounts.key"), "2048"])


def write_kubeconfig(path: Path, server: str, certificates: Path, name: str) -> None:
    """Write the kubeconfig of a client with a certificate; it needs no other file."""
    user = {
        "client-certificate-data": _encoded(certificates / f"{name}.crt"),
        "client-key-data": _encoded(certificates / f"{name}.key"),
    }
    _write(path, server, certificates, name, user)


def write_token_kubeconfig(
    path: Path, server: str, certificates: Path, name: str, token: str
) -> None:
    """Write the kubeconfig of a user with a token."""
    _write(path, server, certificates, name, {"token": token})


def _write(path: Path, server: str, certificates: Path, name: str, user: dict[str, str]) -> None:
    cluster = {
        "server": server,
        "certificate-authority-data": _encoded(certificates / "ca.crt"),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "gitops-tests", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "gitops-tests", "user": name}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _encoded(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()
