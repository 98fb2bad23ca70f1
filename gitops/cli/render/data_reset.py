"""What `gitops data reset` prints: the Job's log as it comes, and what came of it."""

from __future__ import annotations

import json
import sys

from gitops.actions.data_reset import ResetReport
from gitops.cli.render.terminal import line, safe
from gitops.cli.render.text import print_json
from gitops.documents import reports as documents
from gitops.documents.parts import place_document


def confirm_reset(report: ResetReport) -> bool:
    """Show what is thrown away, and ask."""
    import typer

    print(safe(_sentence(report)), file=sys.stderr)
    return bool(typer.confirm("Throw the data there away?", default=False, err=True))


def print_reset(report: ResetReport, output: str) -> int:
    """Print what was done, or the Job that would run."""
    if output == "json":
        print_json(reset_document(report))
        return 0
    line(safe(_sentence(report)))
    if report.cluster is None:
        for one in (*report.job.config_maps, report.job.job):
            for text in json.dumps(one, indent=2, ensure_ascii=False).split("\n"):
                line(safe(text))
    return 0


def reset_document(report: ResetReport) -> documents.JsonDocument:
    """The document of `data reset`."""
    return {
        "action": "data reset",
        "outcome": report.outcome,
        **place_document(report.overlay.label),
        "cluster": report.cluster,
        "namespace": report.job.namespace,
        "job": report.job.name,
        "seed": report.job.seed,
        "seeds": list(report.job.seeds),
        "guards": list(report.job.guarded),
        "commit": report.commit or None,
        "seconds": round(report.seconds, 1),
        "manifests": [*report.job.config_maps, report.job.job] if report.cluster is None else [],
    }


def _sentence(report: ResetReport) -> str:
    job = report.job
    seed = f" with seed {job.seed}" if job.seed is not None else ""
    place = f"{job.namespace}" + (f" of {report.cluster}" if report.cluster is not None else "")
    if report.outcome == "succeeded":
        done = f"{report.overlay.label}: data reset{seed} in {report.seconds:.0f} s"
        return f"{done} (Job {job.name}, {place})"
    return f"{report.overlay.label}: Job {job.name} would reset the data{seed} in {place}"
