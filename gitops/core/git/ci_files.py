"""The file by which a repository calls a kit for its CI system, filled in.

The kits are in the repository of gitops (`action.yml`, `.github/workflows`, `templates/`, `vars/`);
what is written here names a copy of it, and a commit.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from gitops.core.yamltext import quote
from gitops.errors import UsageError

System = Literal["github", "gitlab", "jenkins"]
NO_PIN = "0" * 40
"""Stands for a commit that somebody has to name."""

_ADDRESS = re.compile(r"https?://[^/\s@]+/(?P<path>[\w.-]+(?:/[\w.-]+)+?)(?:\.git)?/?")
_PIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")


class Kit(Struct, frozen=True):
    """A copy of the repository of gitops, at a commit.

    Attributes:
        url: where it is cloned from.
        path: OWNER/REPOSITORY there.
    """

    url: str
    path: str
    pin: str


def read_kit(text: str | None) -> Kit:
    """Read `URL@COMMIT`; None: a place to fill in. Raises UsageError."""
    if text is None:
        return Kit("https://git.example.com/OWNER/gitops.git", "OWNER/gitops", NO_PIN)
    url, at, pin = text.rpartition("@")
    found = _ADDRESS.fullmatch(url)
    if not at or found is None or _PIN.fullmatch(pin) is None:
        raise UsageError(
            f"--kit {text!r} is no URL with a commit",
            hint="--kit https://git.example.com/OWNER/gitops.git@COMMIT",
        )
    return Kit(url, found["path"], pin)


def ci_file(system: System, kit: Kit, *, manifests: bool, repo: str, own: str | None) -> str:
    """Return the text of the file.

    Args:
        manifests: for the manifest repository; else for one that images are built from.
        repo: URL of the manifest repository.
        own: URL of the repository that the file goes to, which its image is called after.
    """
    found = _ADDRESS.fullmatch(own or "")
    name = "/".join(found["path"].split("/")[-2:]).lower() if found is not None else "shop/api"
    texts = _MANIFESTS if manifests else _SOURCE
    values = {"PATH": kit.path, "PIN": kit.pin, "KIT": quote(kit.url), "NAME": name}
    values |= {"REPO": quote(repo), "GROOVY_REPO": _groovy(repo), "GROOVY_KIT": _groovy(kit.url)}
    return re.sub(r"<(\w+)>", lambda word: values[word[1]], texts[system])


def _groovy(text: str) -> str:
    """Return a Groovy string in which nothing is code."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_MANIFESTS = {
    "github": """\
# What changes in protected environments, and on whose word: docs/how-to/check.md of gitops.
name: gitops
on:
  pull_request:
  push:
    branches: [main]

permissions: {}

jobs:
  check:
    uses: <PATH>/.github/workflows/manifests.yml@<PIN>
    with:
      kit: <PATH>
      pin: "<PIN>"
    permissions:
      contents: read
      pull-requests: read
""",
    "gitlab": """\
# What changes in protected environments, and on whose word: docs/how-to/check.md of gitops.
include:
  - component: $CI_SERVER_FQDN/<PATH>/check@<PIN>
    inputs:
      source: <KIT>
      pin: "<PIN>"
""",
    "jenkins": """\
// What changes in protected environments, and on whose word: docs/how-to/check.md of gitops.
pipeline {
    agent any
    options { timeout(time: 15, unit: 'MINUTES') }
    environment {
        KIT = <GROOVY_KIT>
        PIN = '<PIN>'
    }
    stages {
        stage('gitops check') {
            steps {
                // Beside the checkout: what is checked must not hold what checks.
                sh '''#!/bin/sh -e
                    place="$PWD@tmp"
                    rm -rf "$place/kit"
                    git clone -q "$KIT" "$place/kit"
                    git -C "$place/kit" checkout -q "$PIN" --
                    "$place/kit/ci/install.sh" "$place/gitops"
                    export AGAINST="${CHANGE_TARGET:+origin/$CHANGE_TARGET}"
                    export BEFORE="${GIT_PREVIOUS_COMMIT:-}"
                    PATH="$place/gitops/bin:$PATH" "$place/kit/ci/check.sh"
                '''
            }
        }
    }
}
""",
}
_SOURCE = {
    "github": """\
# Builds, tests, pushes, and tells gitops: docs/how-to/bump-from-ci.md of gitops.
name: delivery
on:
  pull_request:
  push:
    branches: ["**"]

permissions: {}

jobs:
  delivery:
    uses: <PATH>/.github/workflows/source.yml@<PIN>
    with:
      image: ghcr.io/<NAME>
      name: <NAME>
      repo: <REPO>
      kit: <PATH>
      pin: "<PIN>"
    secrets:
      manifests-token: ${{ secrets.MANIFESTS_TOKEN }} # may write the manifest repository
    permissions:
      contents: read
      packages: write
""",
    "gitlab": """\
# Builds, pushes, and tells gitops: docs/how-to/bump-from-ci.md of gitops.
# MANIFESTS_TOKEN is a masked and protected variable that may write the manifest repository.
stages: [build, deploy]

build:
  stage: build
  image: docker:28
  services: ["docker:28-dind"]
  rules:
    - if: $CI_COMMIT_BRANCH
  script:
    - >-
      printf %s "$CI_REGISTRY_PASSWORD" |
      docker login "$CI_REGISTRY" --username "$CI_REGISTRY_USER" --password-stdin
    - docker build --tag "$CI_REGISTRY_IMAGE:$CI_COMMIT_REF_SLUG-$CI_COMMIT_SHORT_SHA" .
    - docker push "$CI_REGISTRY_IMAGE:$CI_COMMIT_REF_SLUG-$CI_COMMIT_SHORT_SHA"

include:
  - component: $CI_SERVER_FQDN/<PATH>/deploy@<PIN>
    inputs:
      image: "<NAME>:$CI_COMMIT_REF_SLUG-$CI_COMMIT_SHORT_SHA"
      repo: <REPO>
      source: <KIT>
      pin: "<PIN>"
""",
    "jenkins": """\
// Builds, pushes, and tells gitops: docs/how-to/bump-from-ci.md of gitops.
// `gitops` is the name of the shared library in Jenkins' settings.
@Library('gitops@<PIN>') _

pipeline {
    agent any
    options { disableConcurrentBuilds(); timeout(time: 30, unit: 'MINUTES') }
    environment { IMAGE = 'registry.example.com/<NAME>' }
    stages {
        stage('build') {
            steps {
                sh 'docker build --tag "$IMAGE:$GIT_COMMIT" . && docker push "$IMAGE:$GIT_COMMIT"'
            }
        }
        stage('deploy') {
            when { not { changeRequest() } }
            steps {
                gitopsDeploy(
                    image: "<NAME>:${env.GIT_COMMIT}",
                    repo: <GROOVY_REPO>,
                    source: <GROOVY_KIT>,
                    pin: '<PIN>',
                    credentials: 'manifests-token',
                )
            }
        }
    }
}
""",
}
PATHS: dict[tuple[System, bool], str] = {
    ("github", True): ".github/workflows/gitops.yml",
    ("github", False): ".github/workflows/delivery.yml",
    ("gitlab", True): ".gitlab-ci.yml",
    ("gitlab", False): ".gitlab-ci.yml",
    ("jenkins", True): "Jenkinsfile",
    ("jenkins", False): "Jenkinsfile",
}
"""System, and whether it is for the manifest repository -> where the file goes."""
