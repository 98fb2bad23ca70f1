"""The files of `gitops init --ci`: they fit the published schemas, and hold what was given."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
import yaml
from jsonschema import Draft7Validator

from gitops.core.git.ci_files import NO_PIN, PATHS, System, ci_file, read_kit
from gitops.errors import UsageError

SCHEMAS = {"github": "github-workflows", "gitlab": "gitlab-ci"}
PIN = "5f2c" * 10
KIT = read_kit(f"https://git.example.com/platform/gitops.git@{PIN}")
REPO = "https://git.example.com/shop/manifests.git"


@pytest.mark.parametrize(("system", "manifests"), PATHS)
def test_files_are_filled_in(system: System, manifests: bool) -> None:
    """Each has kit, pin and addresses in their places, and is what its system reads."""
    text = ci_file(system, KIT, manifests=manifests, repo=REPO, own="https://github.com/Shop/api")

    assert PIN in text
    assert "<" not in text.replace("<<", "")
    assert manifests or (REPO in text and "shop/api" in text)
    if system in SCHEMAS:
        name = f"builtin_schemas/vendor/{SCHEMAS[system]}.json"
        schema = json.loads((files("check_jsonschema") / name).read_text())
        told = yaml.safe_load(text)
        told = {"on" if key is True else key: value for key, value in told.items()}
        assert [] == [one.message for one in Draft7Validator(schema).iter_errors(told)]


def test_addresses_are_no_code() -> None:
    """A URL with quotes stays one text, in YAML and in Groovy."""
    odd = "https://git.example.com/a'b${x}\"c"
    github = ci_file("github", KIT, manifests=False, repo=odd, own=None)
    jenkins = ci_file("jenkins", KIT, manifests=False, repo=odd, own=None)

    assert odd == yaml.safe_load(github)["jobs"]["delivery"]["with"]["repo"]
    assert "repo: 'https://git.example.com/a\\'b${x}\"c'," in jenkins


@pytest.mark.parametrize("text", ["x", "https://git.example.com/a/b.git", "git@h:a/b@1", "@1"])
def test_kit_that_is_none(text: str) -> None:
    """A copy without an address or a commit is told; without any there is a place to fill in."""
    with pytest.raises(UsageError, match="--kit"):
        read_kit(text)

    assert NO_PIN == read_kit(None).pin
