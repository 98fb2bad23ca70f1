"""`/v1` keeps to its own description, whatever is sent: Schemathesis, as a program.

`GITOPS_API_EXAMPLES=50` looks deeper, with so many random calls of each address; it takes minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitrepos import Repo

sys.path.insert(0, str(Path(__file__).parent))
from live import serving

EXAMPLES = os.environ.get("GITOPS_API_EXAMPLES", "")
DEPTH = ("--phases", "fuzzing", "-n", "3", "--seed", "1")
DEEP = ("--phases", "examples,coverage,fuzzing", "-n", EXAMPLES)
LEFT_OUT = "positive_data_acceptance"  # what fits the schema may still name what is not there
ENDLESS = "/v1/events"  # a stream
SETTINGS = """\
[generation]
allow-extra-parameters = false  # what the query has beside is passed over, as is usual
[dictionaries.places]
values = ["dev", "prod", "a1/dev", "a2/prod", "nothing/dev"]
[parameters]
"path.environment" = {dictionary = "places"}
"query.environment" = {dictionary = "places"}
"query.other" = {dictionary = "places"}
"""


@pytest.mark.timeout(3600 if EXAMPLES else 120)
def test_answers_are_those_of_the_description(repo: Repo, tmp_path: Path) -> None:
    """No 5xx, no status, type or body that is not described, nothing taken that does not fit."""
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    program = str(Path(sys.executable).with_name("st"))
    with serving(str(repo.path)) as service:
        done = subprocess.run(
            [
                *(program, "--config-file", "schemathesis.toml", "run", "--no-color"),
                *("--checks", "all", "--exclude-checks", LEFT_OUT, "--continue-on-failure"),
                *("--exclude-path", ENDLESS),
                *(DEEP if EXAMPLES else DEPTH),
                f"{service.settings.listen.url}/v1/openapi.json",
            ],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    told = re.search(r"Selected: (\d+)/(\d+)\n\s+Tested: (\d+)\n", done.stdout)
    assert told, done.stdout
    chosen, all_of_them, tested = map(int, told.groups())
    assert (all_of_them - 1, chosen) == (chosen, tested)
