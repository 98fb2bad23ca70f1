"""The first workflows of a team: Python that makes the YAML beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitops.adapters.workflows.scaffold import workflow_files

SETTINGS = {
    "repository": 'https://git.example.com/it\'s "odd"/m.git',
    "image": "registry.example.com/gitops:1",
    "namespace": "ci",
    "service_account": "gitops",
    "secret": "gitops",
    "timezone": "Asia/Seoul",
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What is written with odd settings."""
    return workflow_files(SETTINGS)


def test_python_makes_the_yaml(files: dict[str, bytes], tmp_path: Path) -> None:
    """Run in another folder, definition.py writes the very YAML that came with it."""
    (tmp_path / "definition.py").write_bytes(files["definition.py"])

    subprocess.run([sys.executable, "-I", str(tmp_path / "definition.py")], check=True)

    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.yaml")}
    assert {name: one for name, one in files.items() if name.startswith("gitops-")} == made
    assert 4 == len(made)


def test_no_value_of_a_workflow_is_in_a_script(files: dict[str, bytes]) -> None:
    """`{{…}}` is pasted as text, so it stands in variables and images, never in words that run."""
    import yaml

    for name, content in files.items():
        if not name.startswith("gitops-"):
            continue
        spec = yaml.safe_load(content)["spec"]
        for one in spec.get("workflowSpec", spec)["templates"]:
            container = one.get("container")
            if container is not None:
                assert container["command"], one["name"]
                words = [*container["command"], *container.get("args", ())]
                assert not [word for word in words if "{{" in word], one["name"]


def test_rights_are_those_of_the_settings(files: dict[str, bytes]) -> None:
    """The account of the workflows may write results in its namespace, and look at Applications."""
    import yaml

    documents = list(yaml.safe_load_all(files["rights.yaml"]))
    assert {"ServiceAccount", "Role", "RoleBinding"} == {one["kind"] for one in documents}
    assert {"ci", "argocd"} == {one["metadata"]["namespace"] for one in documents}
