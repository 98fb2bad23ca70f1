"""What `gitops validate` prints: problems, what a change would do, rules that a forge lacks."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from gitops.actions.validate import ValidateReport
from gitops.actions.validate_forge import ProtectionReport
from gitops.cli.render.annotations import Annotations, mark, printable
from gitops.cli.render.terminal import aside, line, paint, safe, warn
from gitops.cli.render.text import print_json
from gitops.core.compare.comparison import Comparison, EnvironmentDifference, Rendering
from gitops.core.environments.environment import CONFIG_PATH
from gitops.core.forges.branch_rules import Gap
from gitops.core.kustomization.image import describe_value
from gitops.core.report import Problem
from gitops.core.text.plain import count, shown_paths
from gitops.documents import reports as documents
from gitops.documents.parts import place_document
from gitops.errors import ConfigError, Denied, GitopsError, ManifestError, Refused

_TITLE = "gitops validate"
_MOST_PATHS = 20


def print_problems(report: ValidateReport, output: str, annotations: Annotations) -> int:
    """Print what `validate` found; the exit code says what the worst of it is."""
    _annotate_problems(report.problems, output, annotations)
    if output == "json":
        print_json(problems_document(report))
        return report.exit_code
    _print_problems(report.problems)
    errors = sum(problem.level == "error" for problem in report.problems)
    found = f"{count(errors, 'error')}, {count(len(report.problems) - errors, 'warning')}"
    line(f"{found if report.problems else 'nothing wrong'} in {count(report.overlays, 'overlay')}")
    warn(report.notes)
    return report.exit_code


def problems_document(report: ValidateReport) -> documents.JsonDocument:
    """The document of `validate`."""
    return {
        "problems": [*map(_problem_document, report.problems)],
        "overlays": report.overlays,
        "warnings": list(report.notes),
    }


def _problem_document(problem: Problem) -> documents.JsonDocument:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "level": problem.level,
        "message": problem.message,
        "branch": problem.branch,
    }


def print_comparison(
    report: ValidateReport, comparison: Comparison, output: str, annotations: Annotations
) -> int:
    """Print what a change would do, and what is wrong with it and was not before."""
    new = _new_problems(report, comparison)
    error = _comparison_error(replace(report, problems=new), comparison)
    _annotate_problems(new, output, annotations)
    _annotate_comparison(comparison, output, annotations)
    if output == "json":
        document = comparison_document(report, comparison)
        print_json(document if error is None else document | documents.error_document(error))
    else:
        for one in comparison.environments:
            _print_environment(one)
        paths, more = shown_paths(comparison.others, _MOST_PATHS)
        for path in paths:
            line(safe(f"elsewhere: {path}"))
        if more:
            line(f"elsewhere: {count(more, 'file')} more")
        _print_problems(new)
        line(paint(_summary(comparison, new), "bold", sys.stdout))
        warn(comparison.warnings)
        if error is not None:
            aside("error", error.message)
    return error.exit_code if error is not None else 0


def print_protection(report: ProtectionReport, output: str, annotations: Annotations) -> int:
    """Print what forges do not ask for and must; exit 1 when something required is missing."""
    problems = [_gap_problem(gap) for gap in report.gaps]
    _annotate_problems(problems, output, annotations)
    error = None
    if report.refused:
        missing = sum(gap.is_error for gap in report.gaps)
        error = Refused(
            f"{count(missing, 'required rule')} that the forge does not have",
            hint="`gitops validate --forge --fix` sets what its API allows",
            reasons=tuple(one.message for one in problems if one.level == "error"),
        )
    if output == "json":
        document = protection_document(report)
        print_json(document if error is None else document | documents.error_document(error))
        return error.exit_code if error is not None else 0
    verb = "would set" if report.planned else "set"
    for one in report.raised:
        wanted = [count(one.change.approvals, "approval")] if one.change.approvals else []
        wanted += [f"check {name}" for name in one.change.checks]
        text = f"{verb} on {one.repository}: {one.change.branch} asks for {', '.join(wanted)}"
        line(safe(text))
    _print_problems(problems)
    found = count(len(report.gaps), "gap") if report.gaps else "no gap"
    text = safe(f"{found} in {', '.join(report.repositories) or 'no repository'}")
    line(paint(text, "bold", sys.stdout))
    warn(report.warnings)
    if error is not None and error.hint is not None:
        aside("hint", error.hint)
    return error.exit_code if error is not None else 0


def write_comment(path: str, report: ValidateReport, comparison: Comparison) -> None:
    """Write the comment of a pull request to a file, whole or not at all. Raises Denied."""
    from gitops.core.compare.comment import render_comment

    told = [
        (one.level, f"{one.path}:{one.line}", one.message)
        for one in _new_problems(report, comparison)
    ]
    text = render_comment(comparison, told)
    place = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".gitops-", dir=place.absolute().parent)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, place)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        raise Denied(f"cannot write {path}: {error.strerror}") from None


def comparison_document(report: ValidateReport, comparison: Comparison) -> documents.JsonDocument:
    """The document of `validate --against`."""
    found = problems_document(report)
    for problem in found["problems"]:
        problem["new"] = (problem["path"], problem["message"]) not in comparison.known
    return {
        **found,
        "base": comparison.base,
        "against": comparison.against,
        "tip": comparison.tip,
        "renderer": comparison.renderer,
        "environments": [_environment_document(one) for one in comparison.environments],
        "others": [printable(path) for path in comparison.others],
        "warnings": list(comparison.warnings),
    }


def protection_document(report: ProtectionReport) -> documents.JsonDocument:
    """The document of `validate --forge`."""
    return {
        "problems": [_problem_document(_gap_problem(gap)) for gap in report.gaps],
        "repositories": list(report.repositories),
        "gaps": [
            {
                "repository": gap.repository,
                "branch": gap.branch,
                "match": gap.rule.match,
                "level": gap.level,
                "kind": gap.kind,
                "known": gap.known,
                "message": gap.message,
            }
            for gap in report.gaps
        ],
        "raised": [
            {
                "repository": one.repository,
                "branch": one.change.branch,
                "approvals": one.change.approvals,
                "checks": list(one.change.checks),
            }
            for one in report.raised
        ],
        "planned": report.planned,
        "warnings": list(report.warnings),
    }


def _environment_document(one: EnvironmentDifference) -> documents.JsonDocument:
    return {
        **place_document(one.label),
        "status": one.status,
        "protected": one.protected,
        "images": [
            {
                "image": image.image,
                "before": documents.value_document(image.before),
                "after": documents.value_document(image.after),
            }
            for image in one.images
        ],
        "files": [{"path": printable(touch.path), "reason": touch.reason} for touch in one.files],
        "policy": {
            "judged": one.judged,
            "reasons": [
                {"reason": result.reason, "overridden": result.overridden} for result in one.policy
            ],
        },
        "rendering": _rendering_document(one.rendering),
    }


def _rendering_document(rendering: Rendering | None) -> documents.JsonDocument | None:
    if rendering is None:
        return None
    return {
        "state": rendering.state,
        "problem": rendering.problem,
        "isolated": rendering.isolated,
        "objects": [
            {"name": one.name, "kind": one.kind, "lines": list(one.lines), "cut": one.cut}
            for one in rendering.objects
        ],
    }


def _new_problems(report: ValidateReport, comparison: Comparison) -> tuple[Problem, ...]:
    return tuple(
        problem
        for problem in report.problems
        if (problem.path, problem.message) not in comparison.known
    )


def _comparison_error(report: ValidateReport, comparison: Comparison) -> GitopsError | None:
    """Return the worst of what is wrong: the config, a file, a build, then policy."""
    if report.exit_code:
        first = next(one for one in report.problems if one.level == "error")
        if report.exit_code == ConfigError.exit_code:
            return ConfigError(f"{first.path}:{first.line}: {first.message}")
        return ManifestError(first.message, path=first.path, line=first.line, column=None)
    for one in comparison.environments:
        if one.rendering is not None and one.rendering.state == "failed":
            what = f"{one.label} does not build: {one.rendering.problem}"
            return ManifestError(what, path=one.path)
    reasons = tuple(
        f"{one.label}: {reason}" for one in comparison.environments for reason in one.refused
    )
    if not reasons:
        return None
    return Refused(f"policy refuses it: {count(len(reasons), 'reason')}", reasons=reasons)


def _print_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        place = f"{problem.path}:{problem.line}:{problem.column}"
        if problem.branch is not None:
            place = f"{problem.branch}:{place}"  # as Git writes a file of a branch
        line(safe(f"{place}: {problem.level}: {problem.message}"))


def _print_environment(one: EnvironmentDifference) -> None:
    told = (one.status, "protected" if one.protected else "changed")
    marks = [word for word in told if word != "changed"]
    line(paint(safe(one.label), "bold", sys.stdout) + (f" ({', '.join(marks)})" if marks else ""))
    for image in one.images:
        before, after = (
            "(not there)" if value is None else describe_value(value)
            for value in (image.before, image.after)
        )
        line(safe(f"  {image.image}  {before} -> {after}"))
    paths, more = shown_paths([touch.path for touch in one.files], _MOST_PATHS)
    for touch in one.files[: len(paths)]:
        line(safe(f"  {touch.path}: {touch.reason}"))
    if more:
        line(f"  {count(more, 'file')} more")
    if one.judged and not one.policy:
        line("  policy: nothing against it")
    for result in one.policy:
        verb = "overridden" if result.overridden else "refused"
        line(safe(f"  policy: {verb}: {result.reason}"))
    if one.rendering is not None:
        _print_rendering(one.rendering)


def _print_rendering(rendering: Rendering) -> None:
    if rendering.state != "changed":
        words = {"same": "the same manifests", "failed": "does not build", "skipped": "not built"}
        about = f": {rendering.problem}" if rendering.problem else ""
        line(safe(f"  manifests: {words[rendering.state]}{about}"))
        return
    line(f"  manifests: {count(len(rendering.objects), 'object')}")
    for one in rendering.objects:
        line(safe(f"    {one.name}: {one.kind}"))
        for text in one.lines:
            style = {"+": "green", "-": "red"}.get(text[:1])
            # The bar keeps a CI runner from taking a line for one of its commands.
            shown = f"    | {safe(text)}"
            line(paint(shown, style, sys.stdout) if style else shown)
        if one.cut:
            line(f"    | ({count(one.cut, 'line')} more)")


def _summary(comparison: Comparison, problems: Sequence[Problem]) -> str:
    where = f"{comparison.tip[:7]} against {comparison.against[:7]}"
    changed = count(len(comparison.environments), "environment")
    errors = sum(one.level == "error" for one in problems)
    found = f"{count(errors, 'new error')}, {count(len(problems) - errors, 'new warning')}"
    return safe(f"{changed} changed ({where}): {found}")


def _gap_problem(gap: Gap) -> Problem:
    level = gap.level if gap.known else f"{gap.level}, not known"
    message = f"{gap.branch} of {gap.repository}: {gap.message} ({level})"
    return Problem(CONFIG_PATH, gap.rule.line, 1, "error" if gap.is_error else "warning", message)


def _annotate_problems(problems: Iterable[Problem], output: str, annotations: Annotations) -> None:
    for one in problems:
        _annotate(output, annotations, one.level, one.message, one.path, one.line)


def _annotate_comparison(comparison: Comparison, output: str, annotations: Annotations) -> None:
    for one in comparison.environments:
        for reason in one.refused:
            _annotate(output, annotations, "error", f"{one.label}: {reason}", one.path)
        if one.rendering is not None and one.rendering.state == "failed":
            text = f"{one.label} does not build: {one.rendering.problem}"
            _annotate(output, annotations, "error", text, one.path)


def _annotate(
    output: str,
    annotations: Annotations,
    level: str,
    message: str,
    path: str | None,
    number: int | None = None,
) -> None:
    mark(annotations, output, _TITLE, level, message, path, number)
