"""Stand-ins for runners: they play the steps of a kit in order, as the real ones are documented to.

What they do not know they refuse, so that a kit cannot use what was never played.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")
INPUT = re.compile(r"\$\[\[ *inputs\.(\w+) *\]\]")


@dataclass
class Played:
    """What a job left behind."""

    code: int
    said: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this test's environment that a runner has, and `environ`."""
    kept = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(environ)


def play_action(
    kit: Path, given: Mapping[str, str], job: Mapping[str, str], folder: Path
) -> Played:
    """Play a composite action: inputs, `if`, env, outputs and summary of each step."""
    action = yaml.safe_load((kit / "action.yml").read_text())
    unknown = given.keys() - action["inputs"].keys()
    assert not unknown, unknown
    inputs = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
    inputs |= given
    missing = [
        name for name, one in action["inputs"].items() if one["required"] and not inputs[name]
    ]
    assert not missing, missing
    steps: dict[str, dict[str, str]] = {}

    def value(text: str) -> str:
        def of(found: re.Match[str]) -> str:
            words = found[1].split(".")
            if words[0] == "inputs":
                return inputs[words[1]]
            if found[1] == "github.action_path":
                return str(kit)
            assert words[0] == "steps", found[0]
            assert words[2] == "outputs", found[0]
            return steps[words[1]].get(words[3], "")

        return EXPRESSION.sub(of, text)

    summary, said, code = folder / "summary.md", "", 0
    for number, step in enumerate(action["runs"]["steps"]):
        assert step["shell"] == "sh", step
        assert "${{" not in step["run"], "a value that is pasted into a script is code"
        if "if" in step:
            asked = re.fullmatch(r"inputs\.(\w+) == ''", step["if"])
            assert asked is not None, step["if"]
            if inputs[asked[1]]:
                continue
        outputs = folder / f"output-{number}"
        outputs.touch()
        script = folder / f"script-{number}.sh"
        script.write_text(step["run"])
        env = {name: value(text) for name, text in step.get("env", {}).items()}
        done = subprocess.run(
            ["sh", "-e", script],
            cwd=folder,
            env=bare(
                {
                    "GITHUB_OUTPUT": str(outputs),
                    "GITHUB_STEP_SUMMARY": str(summary),
                    "RUNNER_TEMP": str(folder),
                    **job,
                    **env,
                }
            ),
            capture_output=True,
            text=True,
        )
        said += done.stdout + done.stderr
        if "id" in step:
            lines = outputs.read_text().splitlines()
            steps[step["id"]] = dict(line.split("=", 1) for line in lines)
        code = done.returncode
        if code:
            break
    made = {name: value(one["value"]) if steps else "" for name, one in action["outputs"].items()}
    told = summary.read_text() if summary.exists() else ""
    return Played(code, said, made, told)


def play_component(
    path: Path,
    given: Mapping[str, Any],
    job: Mapping[str, str],
    folder: Path,
    moved: Mapping[str, str],
) -> Played:
    """Play the one job of a GitLab component: inputs, variables, script, dotenv report.

    `moved` are absolute paths that the script names -> where they are in this test.
    """
    head, body = path.read_text().split("\n---\n")
    spec = yaml.safe_load(head)["spec"]["inputs"]
    assert not given.keys() - spec.keys(), given.keys() - spec.keys()
    inputs = {name: (one or {}).get("default") for name, one in spec.items()} | dict(given)
    assert None not in inputs.values(), [name for name, one in inputs.items() if one is None]

    def text(name: str) -> str:
        one = inputs[name]
        return str(one).lower() if isinstance(one, bool) else str(one)

    (content,) = yaml.safe_load(INPUT.sub(lambda found: text(found[1]), body)).values()
    variables = {name: str(one) for name, one in content["variables"].items()}
    script = "\n".join(content["script"])
    assert "$[[" not in "\n".join(
        yaml.safe_load(body.replace("$[[ inputs.job ]]", "job"))["job"]["script"]
    ), "a value that is pasted into a script is code"
    for old, new in moved.items():
        script = script.replace(old, new)
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=bare({"GITLAB_CI": "true", "CI": "true", **job, **variables}),
        capture_output=True,
        text=True,
    )
    report = content.get("artifacts", {}).get("reports", {}).get("dotenv")
    outputs = {}
    if report and (folder / report).exists():
        lines = (folder / report).read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
    return Played(done.returncode, done.stdout + done.stderr, outputs)
