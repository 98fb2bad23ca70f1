"""Published descriptions of interfaces that tests hold our own servers against.

GitHub's comes from the npm package @octokit/openapi, pinned by version and hash; one file of it is
kept in the store of built servers, outside the checkout. It is for tests only, and nothing of it
is shipped. `scripts/descriptions` fetches it; without it the tests say that they were not checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from servers.store import store

PACKAGE, VERSION = "@octokit/openapi", "23.0.2"
SHA256 = "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c"
_MEMBER = "package/generated/api.github.com.json"


def github_description(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where GitHub's description is kept, which may not be there yet."""
    return store(environ) / f"github-openapi-{VERSION}.json"


def fetch() -> int:
    """Fetch what is missing; return the exit code: 0, or 3 when it is not to be had here."""
    target = github_description()
    if target.is_file():
        return 0
    if shutil.which("npm") is None:
        return _cannot("there is no npm on PATH", "install Node.js, or do without: see --help")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        print(f"fetching {PACKAGE} {VERSION} (29 MB)", file=sys.stderr, flush=True)
        done = subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", f"{PACKAGE}@{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        found = sorted(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(found) != 1:
            return _cannot(f"npm has no {PACKAGE}: {done.stderr.strip()[-300:]}", "try again later")
        got = hashlib.sha256(found[0].read_bytes()).hexdigest()
        if got != SHA256:
            return _cannot(f"{PACKAGE} {VERSION} is another file: {got}", "do not use it")
        new = Path(folder) / "new.json"
        with tarfile.open(found[0]) as archive, new.open("wb") as out:
            member = archive.extractfile(_MEMBER)
            assert member is not None
            shutil.copyfileobj(member, out)
        new.rename(target)
    return 0


def _cannot(message: str, hint: str) -> int:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0)
    sys.exit(fetch())
