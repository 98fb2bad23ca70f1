"""The files of a bare repository of our own, before anything is in it."""

from __future__ import annotations

from pathlib import Path

# Settings of the user that would change what our commands do or print. `unpackLimit`: one pack
# is written faster than a hundred loose files. `fsync`: the store is thrown away, or copied to a
# cache that is verified; a push to a repository on this machine runs with that one's settings.
_CONFIG = """\
[core]
	repositoryformatversion = {version}
	bare = true
	logAllRefUpdates = false
	fsync = none
[gc]
	auto = 0
[maintenance]
	auto = false
[transfer]
	unpackLimit = 1
[fetch]
	prune = false
	pruneTags = false
	writeCommitGraph = false
	recurseSubmodules = false
[push]
	followTags = false
	recurseSubmodules = no
[color]
	ui = false
	push = false
	remote = false
	transport = false
"""


def lay_out(path: Path, algorithm: str, borrow: Path | None) -> None:
    """Make a repository of the folder `path`; it reads the objects of `borrow`, a git directory."""
    for name in ("objects", "objects/pack", "refs"):
        (path / name).mkdir()
    sha1 = algorithm == "sha1"
    config = _CONFIG.format(version=0 if sha1 else 1)
    if not sha1:
        config += f"[extensions]\n\tobjectFormat = {algorithm}\n"
    (path / "config").write_text(config)
    (path / "HEAD").write_text("ref: refs/heads/none\n")
    if borrow is not None:
        (path / "objects" / "info").mkdir()
        # Quoted as Git reads it: a path may hold anything.
        quoted = str(borrow / "objects").replace("\\", "\\\\").replace('"', '\\"')
        quoted = quoted.replace("\n", "\\n")
        (path / "objects" / "info" / "alternates").write_text(f'"{quoted}"\n')
        if (borrow / "shallow").exists():
            (path / "shallow").write_bytes((borrow / "shallow").read_bytes())
