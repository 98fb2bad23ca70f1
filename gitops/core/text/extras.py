"""The extras of gitops: what each is for, and what to say where one is missing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Extra(Struct, frozen=True):
    """A library that not everybody needs.

    Attributes:
        module: what Python imports.
        purpose: what it is needed for, in words.
    """

    module: str
    purpose: str


EXTRAS: Mapping[str, Extra] = {
    "github": Extra("github", "pull requests on GitHub"),
    "gitlab": Extra("gitlab", "merge requests on GitLab"),
    "gitea": Extra("pyforgejo", "pull requests on Gitea and Forgejo"),
    "cluster": Extra("kubernetes", "`gitops wait`, `watch`, and health by a kubeconfig"),
    "provenance": Extra("sigstore", "signatures of images"),
    "server": Extra("starlette", "`gitops serve`: the page and its API"),
    "notify": Extra("apprise", "messages to people"),
    "traces": Extra("opentelemetry.sdk", "traces of `gitops serve`"),
    "workflows": Extra("hera", "`gitops workflow`: Argo Workflows"),
    "insights": Extra("matplotlib", "plots of `gitops insights`"),
}
"""Name of the extra, as pyproject.toml has it -> what it brings."""


def extra_hint(extra: str) -> str:
    """Return the way to an extra: the same words wherever one is missing."""
    return f"install gitops with its extra [{extra}] (docs/how-to/install.md)"
