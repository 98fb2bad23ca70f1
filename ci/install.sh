#!/bin/sh
# Installs the gitops of this checkout into FOLDER, and what it needs by hash: ci/install.sh FOLDER
#
# EXTRA names what else is wanted: github, gitlab, gitea, cluster; with WAIT=true it is cluster. Needs
# Python 3.11 or newer. A second call that finds the same there does nothing.
set -eu

kit=$(cd -- "$(dirname -- "$0")/.." && pwd)
folder=$1
extra=${EXTRA:-gitops}
[ "${WAIT:-false}" != true ] || extra=cluster
stamp=$(cksum "$kit/requirements/$extra.txt" "$kit/gitops/__init__.py" | cut -d' ' -f1 | tr '\n' ' ')
if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$extra $stamp" ]; then
    exit 0
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: gitops needs Python 3.11 or newer" >&2
    echo "hint: in a job, actions/setup-python, or an image like python:3.13" >&2
    exit 3
}
python3 -m venv --clear "$folder"
pip="$folder/bin/python -m pip --quiet --disable-pip-version-check"
$pip install --require-hashes -r "$kit/requirements/$extra.txt"
$pip install --require-hashes --no-deps -r "$kit/requirements/build.txt"
$pip install --no-deps --no-build-isolation "$kit"
echo "$extra $stamp" >"$folder/made-from"
