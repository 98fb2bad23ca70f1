"""An Argo Rollouts Rollout: where it stands, in words, and whether it can be stopped.

Fields: argo-rollouts, pkg/apis/rollouts/v1alpha1/types.go. `abort` sends traffic back to the
stable ReplicaSet and writes nothing to Git; the rollback commit that follows then finds the spec
of that ReplicaSet again, and runs no steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gitops.core.argocd.diagnosis import Workloads
from gitops.core.text.plain import one_line
from gitops.core.unstructured import newest_first, table, tables, text

HASH_LABEL = "rollouts-pod-template-hash"


class Rollout(Struct, frozen=True):
    """One Rollout at one moment.

    Attributes:
        phase: Healthy, Progressing, Paused, Degraded; "" for one that its controller has not seen.
        step, steps: how many steps of the canary are done, of how many; None for blue-green.
        weight: percent of the traffic that the canary has, as far as the steps say.
        aborted: it was stopped, by a person or by an analysis.
        stable, current: hashes of the pod templates that serve, and that are rolled out.
        paused: reasons (`CanaryPauseStep`, `BlueGreenPause`, `InconclusiveAnalysisRun`).
        analysis: how the newest analysis ended when it did not go well (`Failed: …`), or "".
        window: how many revisions back a rollback runs no steps; 0: no such window.
        stable_images: of the stable ReplicaSet, where that could be read.
        images: of the version that is rolled out.
        window_images: of the ReplicaSets inside the window, the newest first.
    """

    name: str
    namespace: str
    phase: str = ""
    message: str = ""
    step: int | None = None
    steps: int | None = None
    weight: int | None = None
    aborted: bool = False
    stable: str = ""
    current: str = ""
    paused: tuple[str, ...] = ()
    analysis: str = ""
    window: int = 0
    images: tuple[str, ...] = ()
    stable_images: tuple[str, ...] = ()
    window_images: tuple[tuple[str, ...], ...] = ()

    @property
    def is_underway(self) -> bool:
        """True in the middle of an update that has not been stopped: `abort` means something."""
        moving = self.phase in ("Progressing", "Paused", "")
        return bool(self.stable) and self.stable != self.current and moving and not self.aborted

    def describe(self) -> str:
        """Return where it stands, without its name."""
        where = ""
        if self.steps:
            where = f" at step {self.step or 0} of {self.steps}"
            where += f", {self.weight} % of the traffic" if self.weight is not None else ""
        if self.aborted:
            because = self.analysis or self.message
            return f"aborted{': ' + because if because else ''}; the stable version serves"
        if self.analysis:
            return f"{self.analysis}{where}"
        if self.phase == "Paused":
            reasons = ", ".join(self.paused)
            return f"paused{where}{f' ({reasons})' if reasons else ''}"
        if self.phase == "Healthy" and self.stable == self.current:
            return "promoted in full"
        if self.phase == "Degraded":
            return f"Degraded: {self.message}" if self.message else "Degraded"
        return f"{self.phase or 'not looked at yet'}{where}"

    def describe_window(self) -> str | None:
        """Return which images a rollback brings back without steps; None without a window."""
        if not self.window:
            return None
        images = "; ".join(", ".join(one) for one in self.window_images) or "nothing yet"
        return f"a rollback within {self.window} revisions runs no steps: {images}"


def read_rollout(
    told: Mapping[str, Any], replica_sets: Iterable[Mapping[str, Any]] = ()
) -> Rollout:
    """Read a Rollout, and what its ReplicaSets (others are passed over) tell about versions."""
    meta, spec, status = (table(told, key) for key in ("metadata", "spec", "status"))
    steps = tables(table(table(spec, "strategy"), "canary"), "steps")
    index = status.get("currentStepIndex")
    step = index if isinstance(index, int) and steps else None
    name, namespace = str(meta.get("name") or "?"), str(meta.get("namespace") or "")
    own = [one for one in replica_sets if _owner(one) == name]
    stable = text(status, "stableRS")
    window = _window(spec)
    return Rollout(
        name=name,
        namespace=namespace,
        phase=text(status, "phase"),
        message=one_line(text(status, "message"), 200),
        step=step,
        steps=len(steps) or None,
        weight=_weight(status, steps, step),
        aborted=status.get("abort") is True,
        stable=stable,
        current=text(status, "currentPodHash"),
        paused=tuple(text(one, "reason") for one in tables(status, "pauseConditions")),
        analysis=_analysis(status),
        window=window,
        images=_images(told),
        stable_images=next((_images(one) for one in own if _hash(one) == stable), ()),
        window_images=_within(own, text(status, "currentPodHash"), window),
    )


def rollouts_in(workloads: Workloads) -> tuple[Rollout, ...]:
    """Return the Rollouts among the live objects of an Application."""
    return tuple(
        read_rollout(one, workloads.replica_sets)
        for one in workloads.objects
        if one.get("kind") == "Rollout"
    )


def _weight(
    status: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], step: int | None
) -> int | None:
    """The weight that traffic routing reports, else that of the last `setWeight` that was done."""
    reported = table(table(table(status, "canary"), "weights"), "canary").get("weight")
    if isinstance(reported, int):
        return reported
    found = None
    for one in steps[: step if step is not None else 0]:
        if isinstance(one.get("setWeight"), int):
            found = one["setWeight"]
    return found


def _analysis(status: Mapping[str, Any]) -> str:
    """The first analysis that said no, or could not be taken: only the first is a verdict."""
    places = [
        (table(status, "canary"), "currentBackgroundAnalysisRunStatus"),
        (table(status, "canary"), "currentStepAnalysisRunStatus"),
        (table(status, "blueGreen"), "prePromotionAnalysisRunStatus"),
        (table(status, "blueGreen"), "postPromotionAnalysisRunStatus"),
    ]
    for parent, key in places:
        run = table(parent, key)
        phase = text(run, "status")
        if phase in ("Failed", "Error", "Inconclusive"):
            words = {
                "Failed": "its analysis failed",
                "Error": "its analysis could not be taken",
                "Inconclusive": "its analysis is inconclusive",
            }[phase]
            message = one_line(text(run, "message"), 200)
            return f"{words}: {message}" if message else words
    return ""


def _window(spec: Mapping[str, Any]) -> int:
    revisions = table(spec, "rollbackWindow").get("revisions")
    return revisions if isinstance(revisions, int) and revisions > 0 else 0


def _within(
    replica_sets: Sequence[Mapping[str, Any]], current: str, window: int
) -> tuple[tuple[str, ...], ...]:
    """The window counts ReplicaSets by creation (argo-rollouts, rollout/sync.go)."""
    if not window:
        return ()

    older = [one for one in newest_first(replica_sets) if _hash(one) != current]
    return tuple(_images(one) for one in older[:window])


def _owner(told: Mapping[str, Any]) -> str | None:
    owners = tables(table(told, "metadata"), "ownerReferences")
    return next((text(one, "name") for one in owners if one.get("kind") == "Rollout"), None)


def _hash(told: Mapping[str, Any]) -> str:
    return text(table(table(told, "metadata"), "labels"), HASH_LABEL)


def _images(told: Mapping[str, Any]) -> tuple[str, ...]:
    template = table(table(told, "spec"), "template")
    return tuple(text(one, "image") for one in tables(table(template, "spec"), "containers"))
