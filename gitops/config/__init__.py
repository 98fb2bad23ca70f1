"""`gitops.yaml`: bytes in, values out; everything that is wrong is said at once, with its place.

`keys.py` describes the keys, `shapes.py` what a value may look like, `rules.py` what one value
demands of another.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gitops.config.keys import ROOT
from gitops.config.rules import check_rules, make_config
from gitops.config.shapes import Problems
from gitops.core.environments.environment import CONFIG_PATH, Config
from gitops.core.yamltext import YamlDocument, compose_first
from gitops.errors import ConfigError, ManifestError

__all__ = ["config_schema", "load_config"]


@lru_cache(maxsize=2)  # a call opens the tip of its branch more than once
def load_config(content: bytes, path: str = CONFIG_PATH) -> Config:
    """Read `gitops.yaml`; `path` is what messages call it.

    Raises ConfigError whose `reasons` holds every problem, sorted by place, each as
    `gitops.yaml:LINE:COL: path.to.key: what is wrong`, with lines and columns from 1.
    """
    try:
        document = compose_first(content, path)
    except ManifestError as exc:
        raise _error(path, (_broken(exc, content),)) from exc
    if document.root is None or document.root.value == "":
        raise ConfigError(
            f"{path} has 1 problem",
            reasons=(f"{path}:1:1: the file is empty",),
            hint="`gitops init` in an empty folder writes a whole one to start from",
        )
    problems = Problems(document, path)
    _check_end(document, problems)
    root = ROOT.read(document.root, "", problems)
    if root is not None:
        check_rules(root, problems)
    lines = problems.lines()
    if root is None or lines:
        raise _error(path, lines)
    return make_config(root)


def config_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of `gitops.yaml`, for editors.

    It knows shapes, not what one value demands of another: `gitops validate` knows both.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gitops.yaml",
        "description": "Which branch feeds which environment, and how a change goes in.",
        **ROOT.schema(),
    }


def _check_end(document: YamlDocument, problems: Problems) -> None:
    """A second document would be passed over in silence."""
    end = document.root.end_mark.index if document.root is not None else 0
    found = re.compile(r"^---(?=\s|\Z)", re.MULTILINE).search(document.text, end)
    if found is not None:
        line = document.text.count("\n", 0, found.start()) + 1
        problems.add((line, 1), "", "a second document begins here: the config is one document")


def _broken(error: ManifestError, content: bytes) -> str:
    """Say why this is no YAML; parsers put what is missing at the end one line behind the file."""
    lines = content.decode(errors="replace").split("\n")
    line, column = error.line, error.column
    if line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    return f"{error.path}:{line}:{column}: {' '.join(error.problem.split())}"


def _error(path: str, reasons: tuple[str, ...]) -> ConfigError:
    count = "1 problem" if len(reasons) == 1 else f"{len(reasons)} problems"
    return ConfigError(f"{path} has {count}", reasons=reasons)
