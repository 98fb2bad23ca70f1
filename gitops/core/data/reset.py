"""The Job that makes dummy data new: found in a build, held to what it says, made ready to run.

An overlay's component `data-reset` adds it to what the overlay builds. What else the component adds
may only be ConfigMaps that the Job reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.data.classes import Classes
from gitops.core.data.manifests import GUARD, RESET_LABEL
from gitops.core.text.plain import nearest_word, one_line
from gitops.core.unstructured import items, table, text
from gitops.core.yamltext import compose_first
from gitops.errors import ManifestError, Refused, UsageError

COMPONENT = "data-reset"
"""The folder below an overlay that has the component."""

SEEDS = "gitops.dev/seeds"
"""The annotation of the Job with the seeds that it knows, the one that it takes by itself first."""

SEED_VARIABLE = "DATA_SEED"
"""The variable of its containers that says which."""

_SEED = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")
_KEPT = 86400  # seconds that a Job is kept after it ended, where it does not say


class ResetJob(Struct, frozen=True):
    """A Job that is ready to run.

    Attributes:
        job: its manifest.
        config_maps: what else must be there for it.
        seed: what it fills in, None where it knows no seeds.
        seeds: what it could.
        guarded: names of the Secrets of real data that its guard looks for.
    """

    job: dict[str, Any]
    config_maps: tuple[dict[str, Any], ...]
    namespace: str
    seed: str | None
    seeds: tuple[str, ...]
    guarded: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the Job."""
        return text(self.job, "metadata", "name")


def with_component(content: bytes, path: str) -> bytes:
    """Return a kustomization with the component `data-reset` behind its others.

    Raises ManifestError where it cannot be read, or `components` is no list.
    """
    document = compose_first(content, path)
    root: Any = document.root
    if root is None or root.id != "mapping":
        raise ManifestError("is no kustomization", path=path)
    found = [value for key, value in root.value if key.value == "components"]
    source = document.text
    if not found:
        if root.flow_style:
            at = root.end_mark.index - 1
            comma = ", " if root.value else ""
            return f"{source[:at]}{comma}components: [{COMPONENT}]{source[at:]}".encode()
        return f"{source.rstrip()}\ncomponents:\n- {COMPONENT}\n".encode()
    node = found[0]
    if node.id != "sequence" or not node.value:
        raise ManifestError("components is no list with anything in it", path=path)
    last = node.value[-1]
    if node.flow_style:
        at = last.end_mark.index
        return f"{source[:at]}, {COMPONENT}{source[at:]}".encode()
    first = node.value[0].start_mark
    indent = source[first.index - first.column : first.index].partition("-")[0]
    end = source.find("\n", last.end_mark.index)
    head = source if end < 0 else source[:end]
    return f"{head}\n{indent}- {COMPONENT}\n{'' if end < 0 else source[end + 1 :]}".encode()


def find_job(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], classes: Classes
) -> ResetJob:
    """Return the Job that the component adds. Raises Refused with every reason against it."""
    known = {_key(one): one for one in before}
    new = [dict(one) for one in after if _key(one) not in known]
    changed = [one for one in after if _key(one) in known and one != known[_key(one)]]
    jobs = [one for one in new if text(one, "kind") == "Job" and _label(one) == "job"]
    reasons = [f"the component changes {_title(one)}: it may only add" for one in changed]
    reasons += [
        f"the component adds {_title(one)}: only a Job labelled {RESET_LABEL}: job, and ConfigMaps"
        for one in new
        if one not in jobs and text(one, "kind") != "ConfigMap"
    ]
    if len(jobs) != 1:
        count = "no Job" if not jobs else f"{len(jobs)} Jobs"
        reasons.append(f"it adds {count} labelled {RESET_LABEL}: job, and needs one")
    guarded: tuple[str, ...] = ()
    for job in jobs[:1]:
        guarded = tuple(_guarded(job, classes))
        reasons += _against(job, guarded)
    if reasons:
        raise Refused(
            f"the component {COMPONENT} is none that may run: {reasons[0]}",
            reasons=tuple(reasons),
            hint="the sample has one: gitops init; docs/how-to/data.md",
        )
    job = jobs[0]
    seeds = tuple(text(job, "metadata", "annotations", SEEDS).replace(",", " ").split())
    maps = tuple(one for one in new if text(one, "kind") == "ConfigMap")
    space = text(job, "metadata", "namespace")
    return ResetJob(job, maps, space, seeds[0] if seeds else None, seeds, guarded)


def ready(found: ResetJob, *, seed: str | None, suffix: str, by: str, seconds: float) -> ResetJob:
    """Return the Job with a name of its own, its seed, and bounds where it has none.

    Raises UsageError for a seed that it does not know.
    """
    chosen = _chosen(found, seed)
    job = deepcopy(found.job)
    meta = job["metadata"]
    meta["name"] = f"{one_line(text(meta, 'name'))[:40].rstrip('-.')}-{suffix}"
    meta["labels"] = {**table(meta, "labels"), "app.kubernetes.io/managed-by": "gitops"}
    meta["annotations"] = {**table(meta, "annotations"), "gitops.dev/by": one_line(by, 200)}
    spec = job["spec"]
    spec.setdefault("backoffLimit", 0)
    spec.setdefault("activeDeadlineSeconds", max(int(seconds), 1))
    spec.setdefault("ttlSecondsAfterFinished", _KEPT)
    if chosen is not None:
        pod = table(spec, "template", "spec")
        for one in (*items(pod, "initContainers"), *items(pod, "containers")):
            for row in items(one, "env"):
                if text(row, "name") == SEED_VARIABLE:
                    row["value"] = chosen
    return replace(found, job=job, seed=chosen)


def _chosen(found: ResetJob, seed: str | None) -> str | None:
    if seed is None:
        return found.seed
    if seed not in found.seeds or _SEED.fullmatch(seed) is None:
        known = ", ".join(found.seeds) or "none"
        near = nearest_word(seed, found.seeds)
        raise UsageError(
            f"no seed {one_line(seed, 60)!r}; there are: {known}",
            hint=f"did you mean {near}?" if near else f"its Job names them: annotation {SEEDS}",
        )
    return seed


def _against(job: Mapping[str, Any], guarded: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a Job by itself."""
    if not text(job, "metadata", "namespace"):
        yield "it has no namespace: `namespace:` of the overlay's kustomization says it"
    pod = table(job, "spec", "template", "spec")
    if text(pod, "restartPolicy") != "Never":
        yield "its pod must not be restarted: restartPolicy: Never"
    if not guarded:
        yield (
            f"its first init container must be {GUARD}, and look for a Secret of real data that "
            "`databases:` names (optional: true)"
        )
    seeds = text(job, "metadata", "annotations", SEEDS).split()
    takes = any(
        text(row, "name") == SEED_VARIABLE
        for one in items(pod, "containers")
        for row in items(one, "env")
    )
    if seeds and not takes:
        started = (*items(pod, "initContainers"), *items(pod, "containers"))
        used = [text(one, "name") for one in started]
        yield f"it names seeds, and no container of {', '.join(used)} has {SEED_VARIABLE}"


def _guarded(job: Mapping[str, Any], classes: Classes) -> Iterator[str]:
    """Yield the Secrets of real data that the first init container looks for."""
    first = next(iter(items(job, "spec", "template", "spec", "initContainers")), None)
    if text(first, "name") != GUARD:
        return
    for row in items(first, "env"):
        wanted = table(row, "valueFrom", "secretKeyRef")
        match = classes.secret(text(wanted, "name"))
        if match is not None and match.class_ == "real" and wanted.get("optional") is True:
            yield text(wanted, "name")


def _label(one: Mapping[str, Any]) -> str:
    return text(one, "metadata", "labels", RESET_LABEL)


def _key(one: Mapping[str, Any]) -> tuple[str, ...]:
    meta = table(one, "metadata")
    return text(one, "apiVersion"), text(one, "kind"), text(meta, "namespace"), text(meta, "name")


def _title(one: Mapping[str, Any]) -> str:
    return one_line(f"{text(one, 'kind')} {text(one, 'metadata', 'name')}", 120)
