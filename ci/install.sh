#!/bin/sh
# Installs the gitops of this checkout, and what it needs by hash, as FOLDER/bin/gitops:
# ci/install.sh FOLDER
#
#   EXTRA          what else is wanted: github, gitlab, gitea, cluster; with WAIT=true it is cluster
#   GITOPS_TOOLS   a folder that outlives the job and keeps what was installed, one folder for each
#                  version, whole or not there; default: in RUNNER_TOOL_CACHE, else nothing is kept
#
# Needs Python 3.11 or newer. What is there already is only looked at.
set -eu

kit=$(cd -- "$(dirname -- "$0")/.." && pwd)
folder=$1
extra=${EXTRA:-gitops}
[ "${WAIT:-false}" != true ] || extra=cluster
tools=${GITOPS_TOOLS:-${RUNNER_TOOL_CACHE:+$RUNNER_TOOL_CACHE/gitops}}

# Which code, which requirements, which Python. Versions are no answer: a commit need not raise one.
stamp=$(
    python3 -I - "$kit" "$extra" <<'END'
import sys
if sys.version_info < (3, 11):
    sys.exit(3)
from hashlib import sha256
from pathlib import Path
kit, pins = Path(sys.argv[1]), Path(sys.argv[1], "requirements")
made = sha256(f"{sys.version} {sys.base_prefix}".encode())
paths = [one for one in kit.glob("gitops/**/*") if one.is_file() and one.suffix != ".pyc"]
for path in [kit / "pyproject.toml", pins / "build.txt", pins / f"{sys.argv[2]}.txt", *sorted(paths)]:
    made.update(f"{path.relative_to(kit)} {path.stat().st_size} ".encode() + path.read_bytes())
print(made.hexdigest()[:20])
END
) || {
    echo "error: gitops needs Python 3.11 or newer" >&2
    echo "hint: in a job, actions/setup-python, or an image like python:3.13" >&2
    exit 3
}

make() {
    python3 -I -m venv --clear "$1"
    pip="$1/bin/python -I -m pip --quiet --disable-pip-version-check"
    # Compiling everything takes as long as all the rest; what is used is compiled by its first use.
    $pip install --no-compile --require-hashes -r "$kit/requirements/$extra.txt"
    $pip install --no-compile --require-hashes --no-deps -r "$kit/requirements/build.txt"
    $pip install --no-compile --no-deps --no-build-isolation "$kit"
}

if [ -n "$tools" ] && mkdir -p "$tools" 2>/dev/null && [ -w "$tools" ]; then
    place=$tools/$extra-$stamp
    if [ ! -e "$place/bin/gitops" ]; then
        made=$(mktemp -d "$tools/making-XXXXXX")
        trap 'rm -rf "$made"' EXIT
        trap 'exit 143' TERM INT
        make "$made"
        # It moves, and what pip wrote names where it was.
        printf '#!/bin/sh\nexec "%s/bin/python" -P -m gitops "$@"\n' "$place" >"$made/bin/gitops"
        # Another job may have been quicker: then the same is there.
        python3 -I -c 'import os, sys; os.rename(*sys.argv[1:])' "$made" "$place" 2>/dev/null ||
            [ -e "$place/bin/gitops" ]
    fi
    touch "$place"
    # Nobody has asked for these in a month, or was stopped making them.
    find "$tools" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +
    mkdir -p "$folder/bin"
    ln -sf "$place/bin/gitops" "$folder/bin/gitops"
elif [ "$(cat "$folder/made-from" 2>/dev/null)" != "$extra $stamp" ]; then
    make "$folder"
    echo "$extra $stamp" >"$folder/made-from"
fi
