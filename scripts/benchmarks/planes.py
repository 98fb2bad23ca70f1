"""Answers for many clusters at once: `python planes.py APPS ENVIRONMENTS CLUSTERS URL COMMIT`.

Each cluster is a path of one server, and lists the Applications of its environment that lie on it;
it prints its port, and ends with standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

_PADDING = 20  # resources that a status lists, as a service of some parts has them


def application(app: int, environment: str, url: str, commit: str) -> dict[str, Any]:
    """Return one Application, in sync and Healthy."""
    name = f"a{app}-{environment}"
    parts = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": name, "name": f"p{n}"}
        for n in range(_PADDING)
    ]
    return {
        "metadata": {"name": name, "namespace": "argocd", "annotations": {}},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": url,
                "path": f"apps/a{app}/overlays/{environment}",
                "targetRevision": "main",
            },
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": {"automated": {}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": commit},
            "health": {"status": "Healthy", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            "summary": {"images": [f"shop/a{app}:1.0"]},
            "resources": parts,
            "reconciledAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    lists: ClassVar[dict[str, bytes]] = {}
    over: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        """List; everything else is not there."""
        url = urlsplit(self.path)
        if "watch=true" in url.query:
            self._watch(float(parse_qs(url.query).get("timeoutSeconds", ["1800"])[0]))
            return
        cluster = url.path.split("/")[1]
        listed = url.path.endswith("/applications") and cluster in self.lists
        body = self.lists[cluster] if listed else b'{"message": "not found"}'
        self.send_response(200 if listed else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, seconds: float) -> None:
        """Begin a watch in which nothing happens, and end it in time, as an API server does."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        self.over.wait(seconds)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def main() -> None:
    """Serve until standard input closes."""
    apps, clusters = int(sys.argv[1]), int(sys.argv[3])
    names, url, commit = sys.argv[2].split(","), sys.argv[4], sys.argv[5]
    for number in range(clusters):
        mine = names[number % len(names)]
        # Those of one environment share its apps.
        sharing = len(range(number % len(names), clusters, len(names)))
        share = range(number // len(names), apps, sharing)
        listed = {
            "kind": "ApplicationList",
            "metadata": {"resourceVersion": "1"},
            "items": [application(app, mine, url, commit) for app in share],
        }
        Handler.lists[f"c{number}"] = json.dumps(listed).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    Handler.over.set()


if __name__ == "__main__":
    main()
