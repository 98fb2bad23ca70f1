"""Git objects as no Git would make them, but any server may send them: written byte by byte."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

FILE, TREE, LINK, GITLINK = b"100644", b"40000", b"120000", b"160000"
NOBODY = "1" * 40  # an object that is nowhere

Node = tuple[bytes, Any]  # mode; and bytes, a dict of nodes by name, or the id of a commit


class Objects:
    """Writes loose objects into one repository."""

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "objects"

    def write(self, kind: str, body: bytes) -> str:
        """Write one object, whatever is in it; return its id."""
        content = f"{kind} {len(body)}".encode() + b"\0" + body
        oid = hashlib.sha1(content).hexdigest()
        place = self._folder / oid[:2] / oid[2:]
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(zlib.compress(content, 1))
        return oid

    def tree(self, nodes: dict[bytes, Node]) -> str:
        """Write a tree and all below it, in Git's order."""

        def place(name: bytes) -> bytes:
            return name + (b"/" if isinstance(nodes[name][1], dict) else b"")

        body = b""
        for name in sorted(nodes, key=place):
            mode, content = nodes[name]
            if isinstance(content, dict):
                oid = self.tree(content)
            else:
                oid = content if isinstance(content, str) else self.write("blob", content)
            body += mode + b" " + name + b"\0" + bytes.fromhex(oid)
        return self.write("tree", body)


def nodes_of(folder: Path) -> dict[bytes, Node]:
    """Return the files of a folder as nodes."""
    return {
        path.name.encode(): (TREE, nodes_of(path)) if path.is_dir() else (FILE, path.read_bytes())
        for path in folder.iterdir()
    }


def put(nodes: dict[bytes, Node], path: str, node: Node | None) -> dict[bytes, Node]:
    """Return `nodes` with another one at `path`, None for none; what is in the way goes."""
    name, _, rest = path.encode("utf-8", "surrogateescape").partition(b"/")
    found = dict(nodes)
    if rest:
        below = found[name][1] if name in found and isinstance(found[name][1], dict) else {}
        found[name] = (TREE, put(below, rest.decode("utf-8", "surrogateescape"), node))
    elif node is None:
        found.pop(name, None)
    else:
        found[name] = node
    return found


@dataclass(frozen=True)
class OddCommit:
    """One commit: `parents` count back from it, 1 is the one before; none begins anew.

    Attributes:
        edits: path -> node, None for a file that goes.
        restores: how far back the commit lies that the message claims to restore; None: no claim.
    """

    author: bytes
    committer: bytes
    headers: tuple[bytes, ...]
    message: bytes
    parents: tuple[int, ...]
    edits: tuple[tuple[str, Node | None], ...]
    restores: int | None = None

    def body(self, tree: str, parents: Sequence[str], restores: str | None) -> bytes:
        """Return the bytes of the commit object."""
        claim = f"\nGitops-Restores: {restores}\n".encode() if restores is not None else b""
        head = [f"tree {tree}".encode(), *(f"parent {one}".encode() for one in parents)]
        head += [b"author " + self.author, b"committer " + self.committer, *self.headers]
        return b"\n".join(head) + b"\n\n" + self.message + claim


BREAKS = b"\xe2\x80\xa8 \xe2\x80\xa9 \xc2\x85 \x0b \x0c \x1c \x1e"
NAMES = st.sampled_from(
    [
        *(b"Ana", b"", b" ", b"\xff\xfe", b"x" * 10_000, "안나".encode(), BREAKS, b"a\tb\r"),
        *(b"::error::x", b"\x1b[2J", "\u202eanA".encode(), b"Ana <other@example.com>", b"a>b"),
    ]
)
MAILS = st.sampled_from([b"ana@example.com", b"", b"\xff", b"x" * 10_000, BREAKS, b"a b", b"<a"])
SECONDS = st.one_of(
    st.integers(1_600_000_000, 1_900_000_000).map(lambda number: b"%d" % number),
    st.sampled_from(
        [
            *(b"0", b"-1", b"-99999999999", b"1700000000000", b"253402300800", b"253402300799"),
            *(b"9" * 18, b"%d" % (2**63 - 1), b"%d" % 2**63, b"%d" % 2**64, b"9" * 400, b""),
            *(b"now", b"1e9", b"0x10", b"+5", b"1700000000.5", b" ", "١٢٣".encode()),
        ]
    ),
)
ZONES = st.sampled_from(
    [b"+0000", b"+0900", b"-1200", b"+9999", b"-9999", b"+99999999", b"", b"UTC", b"0000"]
)
PEOPLE = st.builds(
    lambda name, mail, seconds, zone: name + b" <" + mail + b"> " + seconds + b" " + zone,
    *(NAMES, MAILS, SECONDS, ZONES),
) | st.sampled_from([b"", b"Ana", b"<>", b"Ana <ana@example.com>", b"> 1 +0000 <"])
HEADERS = st.lists(
    st.sampled_from(
        [
            *(b"encoding UTF-8", b"encoding ISO-8859-1", b"encoding EUC-KR", b"encoding nonsense"),
            *(b"encoding ", b"encoding UTF-16", b"encoding UTF-7", b"x", b"x ", b"HG:extra a:b"),
            b"gpgsig -----BEGIN SSH SIGNATURE-----\n nonsense\n -----END SSH SIGNATURE-----",
            b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----",
            *(b"gpgsig-sha256 x", b"mergetag object " + b"1" * 40 + b"\n type commit", b" lost"),
            *(b"parent " + b"1" * 39, b"tree x", b"author again <a@b> 1 +0000", b"y" * 20_000),
        ]
    ),
    max_size=3,
).map(tuple)
TRAILERS = st.lists(
    st.sampled_from(
        [
            *(b"Gitops-Action: rollback", b"Gitops-Action: deploy", b"Gitops-Action: \xff"),
            *(b"Gitops-Action: undo", b"Gitops-Action: nonsense", b"Gitops-Id: 1", b"Gitops-Id:"),
            *(b"Gitops-Environment: dev", b"Gitops-Environment: prod", b"Gitops-Environment: /"),
            *(b"Gitops-Restores: HEAD", b"Gitops-Restores: --all", b"Gitops-Restores: x..y"),
            *(b"Gitops-Restores: " + NOBODY.encode(), b"Gitops-Rolled-Back: main", b": :"),
            *(b"Gitops-Rolled-Back: " + NOBODY.encode(), b"Source-Revision: a@sha1:zz"),
            *(b"Gitops-Override: because", b"Gitops-Approved-By: Ben <ben@example.com>"),
            b"Gitops-Environment: " + b"x" * 10_000,
        ]
    ),
    max_size=4,
).map(b"\n".join)
SUBJECTS = st.sampled_from(
    [
        *(b"change", b"", b"\n", b"\0", b"a\0b", b"\xff\xfe", b"x" * 100_000, BREAKS, b"\r\n\r"),
        *(b"x\n" * 2_000, b"commit " + b"1" * 40, b"\x1b[2J::error::", b'Revert "x"\n\nThis'),
    ]
)
MESSAGES = st.builds(lambda subject, lines: subject + b"\n\n" + lines, SUBJECTS, TRAILERS)
TAGS = st.sampled_from(
    ["1", "2", "3", "1.4.1", "'4'", "x" * 10_000, "é", '"\\u2028"', "1.0", "~", "", "{a: b}"]
)


def pinned(tag: str) -> bytes:
    """Return an overlay that pins one image."""
    return f"resources: [../../base]\nimages:\n  - name: shop/api\n    newTag: {tag}\n".encode()


CONTENTS = st.one_of(
    TAGS.map(pinned),
    st.sampled_from(
        [
            *(
                b"",
                b"\xff\xfe\x00",
                b"images: [",
                b"images: {}\n",
                b"- a\n",
                b"images:\n- name: 1\n",
            ),
            *(b"\0", b"a: &a [*a]\n", b"[" * 5_000, b"images:\n- {name: shop/api, newTag: 2}\n"),
            *(b"\xef\xbb\xbfimages: []\n", b"%YAML 9.9\n---\nimages: []\n", b"? [a]\n: b\n"),
            *(b"images:\n" + b"- {name: a, newTag: b}\n" * 300, b"!!python/object:os.system x\n"),
        ]
    ),
)
NODES: st.SearchStrategy[Node | None] = st.one_of(
    CONTENTS.map(lambda content: (FILE, content)),
    st.sampled_from(
        [
            None,
            *(
                (LINK, target)
                for target in (b"../prod/kustomization.yaml", b"/etc/passwd", b"\xff")
            ),
            *((GITLINK, NOBODY), (b"100755", pinned("5")), (b"100664", pinned("6"))),
            *((TREE, {b"x": (FILE, b"")}), (TREE, {}), (b"100600", pinned("7"))),
        ]
    ),
)
PATHS = st.sampled_from(
    [
        *("overlays/dev/kustomization.yaml", "overlays/prod/kustomization.yaml") * 3,
        *("overlays/dev/kustomization.yml", "overlays/dev", "overlays/stage", "base"),
        "overlays",
        *(".gitops/holds/dev.yaml", ".gitops/hold.yaml", ".gitops", ".gitops/signers"),
        *(
            "overlays/dev/" + "x" * 10_000,
            "overlays/prod/a\u2028b",
            "base/\n",
            "overlays/dev/\udcff",
        ),
        *(".gitmodules", ".gitattributes", ".mailmap", "overlays/dev/..x", "HEAD", "config"),
    ]
)
EDITS = st.lists(st.tuples(PATHS, NODES), max_size=3).map(tuple)
PARENTS = st.one_of(
    st.just((1,)),
    st.just((1,)),
    st.sampled_from([(2, 1), (1, 2), (1, 3), (3, 1), (1, 1), (1, 2, 3), (), (2,), (4, 1, 4)]),
)
COMMITS: st.SearchStrategy[OddCommit] = st.builds(
    OddCommit,
    *(PEOPLE, PEOPLE, HEADERS, MESSAGES, PARENTS, EDITS),
    restores=st.none() | st.integers(1, 5),
)


def told(line: dict[str, Any]) -> bytes:
    """Return a line of the ledger."""
    return json.dumps(line).encode()


JUNK = st.sampled_from(
    [
        *(None, 1, -1, 2**70, 1e308, True, "", "x" * 10_000, "\u2028", "\ud800", [], {}, [[]]),
        *("9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "2026-01-01T00:00:00+99:99", "now"),
    ]
)
LINES = st.one_of(
    st.builds(
        lambda commit, verdict, key, junk: told(
            {
                **{"commit": commit, "verdict": verdict, "time": "2026-01-01T00:00:00Z"},
                **{"by": "Ana", "images": [{"image": "shop/api", "tag": "1"}]},
                **{"repository": "x", "environment": "dev", "app": None, key: junk},
            }
        ),
        st.sampled_from([NOBODY, "HEAD", "", "--all", "{release}"]),
        st.sampled_from(["stable", "degraded", "qa-passed", "qa-failed", "approved", "x"]),
        st.sampled_from(["commit", "time", "by", "images", "reason", "app", "seen", "id", "z"]),
        JUNK,
    ),
    st.sampled_from(
        [
            *(b"", b"{", b"[" * 100_000, b"\xff", b"null", b"NaN", b'{"commit":1e999}', b"\0"),
            *(b'{"a":' * 50_000, b"9" * 10_000, b'"' + b"x" * 100_000 + b'"', b'{"commit":[]}'),
        ]
    ),
)
BRANCHES = st.lists(
    st.sampled_from(
        [
            *("gitops/prod", "gitops/dev", "gitops/a\u2028b", "gitops/\x85", "release/1\u2029"),
            *(
                "gitops/" + "y" * 200,
                "gitops/ledger2",
                "release/" + "z" * 5_000,
                "x\u202ey",
                "gitops/prod@{u}x",
            ),
        ]
    ),
    max_size=3,
    unique=True,
)
