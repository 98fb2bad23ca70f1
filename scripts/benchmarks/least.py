"""The lower bound: an own client that bumps one image in three requests on one connection.

`python least.py URL PATH IMAGE TAG`. It knows no policy, no rights and no YAML, and has no answer
to what goes wrong: what a deploy could cost at the least in this language. Runs with the packages
of the gitops that is measured, whose packs and trees it borrows.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

from gitops.adapters.gitrepo.objects import codec, pack
from gitops.core.git.commit import Identity


def line(text: str) -> bytes:
    """Return one line of Git's protocol."""
    return f"{len(text) + 4:04x}{text}".encode()


def bands(body: bytes) -> bytes:
    """Return what comes on the first side band behind `packfile`."""
    at = body.index(b"packfile\n") + len(b"packfile\n")
    found = b""
    while (length := int(body[at : at + 4], 16)) > 4:
        if body[at + 4] == 1:
            found += body[at + 5 : at + length]
        at += length
    return found


def main(url: str, path: str, image: str, tag: str) -> None:
    """Read, edit, push."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc)

    def post(service: str, body: bytes) -> bytes:
        headers = {"Content-Type": f"application/x-{service}-request", "Git-Protocol": "version=2"}
        connection.request("POST", f"{parts.path}/{service}", body, headers)
        return connection.getresponse().read()

    asked = line("command=ls-refs\n") + b"0001" + line("ref-prefix refs/heads/main\n") + b"0000"
    tip = post("git-upload-pack", asked)[4:44].decode()
    wanted = [line("ofs-delta\n"), line("deepen 1\n"), line(f"want {tip}\n"), line("done\n")]
    fetched = post(
        "git-upload-pack", line("command=fetch\n") + b"0001" + b"".join(wanted) + b"0000"
    )
    objects = pack.read_pack(bands(fetched), lambda _: None).objects
    root = objects[tip][1][5:45].decode()

    def tree(oid: str) -> codec.TreeContent:
        return codec.parse_tree(objects[oid][1])

    oid = root
    for name in path.split("/"):
        oid = tree(oid)[name].oid
    lines = objects[oid][1].decode().split("\n")
    at = next(number for number, text in enumerate(lines) if text.endswith(f"name: {image}"))
    lines[at + 1] = f"{lines[at + 1].partition(':')[0]}: {tag}"
    new, made = codec.patch_tree(root, {path: "\n".join(lines).encode()}, tree)
    who = Identity("Bench", "bench@example.com")
    now = datetime.fromtimestamp(time.time(), UTC)
    commit = codec.render_commit(new, (tip,), who, who, now, f"dev: {image} {tag}")
    sent = {**made.objects, codec.object_id("commit", commit): ("commit", commit)}
    command = f"{tip} {codec.object_id('commit', commit)} refs/heads/main\0 report-status"
    answer = post("git-receive-pack", line(command) + b"0000" + pack.make_pack(sent))
    if b"ok refs/heads/main" not in answer:
        raise SystemExit(75)


if __name__ == "__main__":
    main(*sys.argv[1:])
