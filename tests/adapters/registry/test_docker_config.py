"""Credentials of registries, where Docker, podman and CI keep them."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from gitops.adapters.registry.docker_config import DockerConfig
from gitops.errors import Denied

HOST = "registry.example.com"
AUTH = b64encode(b"ana:swordfish").decode()


def config(folder: Path, document: object) -> DockerConfig:
    """Write Docker's file and return its reader."""
    (folder / "config.json").write_text(json.dumps(document))
    return DockerConfig({"DOCKER_CONFIG": str(folder), "PATH": str(folder)})


def helper(folder: Path, name: str, script: str) -> None:
    """Write a credential helper."""
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "key", [HOST, f"https://{HOST}", f"https://{HOST}/v2/", f"https://{HOST}/v1/"]
)
def test_an_entry_is_found_however_it_is_spelled(tmp_path: Path, key: str) -> None:
    """Docker has written the names of registries in several ways."""
    found = config(tmp_path, {"auths": {key: {"auth": AUTH}}}).credential(HOST)
    assert found is not None
    assert (found.user, found.secret, found.refresh) == ("ana", "swordfish", False)
    assert "swordfish" not in repr(found)


def test_docker_hub_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Its entry is under the address that it had first."""
    told = {"auths": {"https://index.docker.io/v1/": {"identitytoken": "refresh"}}}
    found = config(tmp_path, told).credential("docker.io")
    assert found is not None
    assert (found.secret, found.refresh) == ("refresh", True)


def test_nobody_else_gets_it(tmp_path: Path) -> None:
    """A host that only looks alike has no credentials."""
    reader = config(tmp_path, {"auths": {HOST: {"auth": AUTH}}})
    for other in ("example.com", f"{HOST}:5000", f"{HOST}.evil.example", "evil.example", ""):
        assert reader.credential(other) is None


def test_a_helper_is_asked_for_its_host(tmp_path: Path) -> None:
    """The host on standard input, JSON on standard output."""
    helper(
        tmp_path,
        "it",
        'read host; echo "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s3cret\\"}"',
    )
    found = config(tmp_path, {"credHelpers": {HOST: "it"}}).credential(HOST)
    assert found is not None
    assert (found.user, found.secret) == (HOST, "s3cret")


def test_the_store_of_all_is_asked(tmp_path: Path) -> None:
    """`credsStore` keeps the secrets of the hosts that are listed; `<token>` is a refresh token."""
    helper(tmp_path, "all", 'echo \'{"Username": "<token>", "Secret": "refresh"}\'')
    reader = config(tmp_path, {"credsStore": "all", "auths": {HOST: {}}})
    found = reader.credential(HOST)
    assert found is not None
    assert (found.secret, found.refresh) == ("refresh", True)
    assert reader.credential("other.example.com") is None


@pytest.mark.parametrize("script", ["echo no-secret-of-mine; exit 1", "echo '[]'", "echo {"])
def test_a_helper_that_fails_is_named(tmp_path: Path, script: str) -> None:
    """What it printed may be a secret and is not shown; how to see it is."""
    helper(tmp_path, "it", script)
    with pytest.raises(Denied, match="docker-credential-it") as caught:
        config(tmp_path, {"credHelpers": {HOST: "it"}}).credential(HOST)
    assert "no-secret" not in str(caught.value)


def test_a_helper_that_is_no_name_is_not_run(tmp_path: Path) -> None:
    """A path in place of a name runs nothing."""
    with pytest.raises(Denied, match="can be none"):
        config(tmp_path, {"credHelpers": {HOST: "../../bin/sh"}}).credential(HOST)


def test_a_helper_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The program that is missing is said."""
    with pytest.raises(Denied, match="docker-credential-gone"):
        config(tmp_path, {"credHelpers": {HOST: "gone"}}).credential(HOST)


def test_the_text_of_a_ci_variable_comes_first(tmp_path: Path) -> None:
    """`DOCKER_AUTH_CONFIG` is what GitLab's runners are given."""
    (tmp_path / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": AUTH}}}))
    told = json.dumps({"auths": {HOST: {"username": "ci", "password": "job"}}})
    found = DockerConfig({"DOCKER_CONFIG": str(tmp_path), "DOCKER_AUTH_CONFIG": told})
    credential = found.credential(HOST)
    assert credential is not None
    assert credential.user == "ci"


def test_nothing_there_is_nobody(tmp_path: Path) -> None:
    """No file, no variables: no credentials, and no complaint."""
    assert DockerConfig({"HOME": str(tmp_path)}).credential(HOST) is None


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    """Credentials that cannot be read are not the same as none."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Denied, match=r"config\.json is no JSON"):
        DockerConfig({"DOCKER_CONFIG": str(tmp_path)}).credential(HOST)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"auths": []},
        {"auths": {HOST: "x"}},
        {"auths": {HOST: {"auth": "%%%"}}},
        {"auths": {HOST: {"auth": 7}}},
    ],
)
def test_odd_entries_are_none(tmp_path: Path, document: object) -> None:
    """What has another shape has no credentials in it."""
    assert config(tmp_path, document).credential(HOST) is None
