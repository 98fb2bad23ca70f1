"""What `gitops check` prints: a few lines for people, one document for programs, marks for CI."""

from __future__ import annotations

import sys

from gitops.cli.render.annotations import Annotations, mark, printable
from gitops.cli.render.terminal import aside, line, paint, safe, warn
from gitops.cli.render.text import print_json
from gitops.core.audit.findings import CheckedCommit, CheckReport, Finding
from gitops.core.text.plain import count
from gitops.documents import reports as documents
from gitops.documents.parts import place_document
from gitops.errors import Refused

_SHORT = 7
_STYLES = {"error": "red", "warning": "yellow", "notice": "dim"}
_HINT = (
    "a change of a protected environment comes by an approved pull request, or `gitops rollback`; "
    "gitops.yaml names them (change: pull-request)"
)


def print_check(report: CheckReport, output: str, annotations: Annotations) -> int:
    """Print what was found; exit 1 when something is an error."""
    refused = _refused(report)
    for one in report.findings:
        about = f"{one.environment}: " if one.environment else ""
        message = f"{about}{one.message} ({one.commit[:_SHORT]})"
        mark(annotations, output, "gitops check", one.level, message, one.path, one.line)
    if output == "json":
        document = check_document(report)
        if refused is not None:
            document |= documents.error_document(refused)
        print_json(document)
        return refused.exit_code if refused is not None else 0
    for commit in report.commits:
        _print_commit(commit, [one for one in report.findings if one.commit == commit.info.commit])
    for finding in report.findings:
        if finding.commit not in {one.info.commit for one in report.commits}:
            line(_finding_text(finding))
    line(paint(_summary(report), "bold", sys.stdout))
    warn(report.warnings)
    if refused is not None:
        aside("hint", _HINT)
        return refused.exit_code
    return 0


def check_document(report: CheckReport) -> documents.JsonDocument:
    """The document of `check`."""
    return {
        "base": report.base,
        "tip": report.tip,
        "branch": report.branch,
        "landed": report.landed,
        "policy": report.policy,
        "proof": report.proof,
        "protected": list(report.protected),
        "commits": [_commit_document(commit) for commit in report.commits],
        "inside": report.inside,
        "findings": [_finding_document(finding) for finding in report.findings],
        "warnings": list(report.warnings),
    }


def _commit_document(commit: CheckedCommit) -> documents.JsonDocument:
    return {
        "commit": commit.info.commit,
        "parent": commit.parent,
        "subject": commit.subject,
        "author": commit.info.author.name,
        "time": documents.time_text(commit.info.time),
        "standing": commit.standing,
        "evidence": commit.evidence,
        "touches": [
            {
                **place_document(label),
                "paths": [{"path": printable(one.path), "reason": one.reason} for one in touches],
            }
            for label, touches in commit.touches.items()
        ],
    }


def _finding_document(finding: Finding) -> documents.JsonDocument:
    return {
        "commit": finding.commit,
        **place_document(finding.environment),
        "path": printable(finding.path) if finding.path is not None else None,
        "line": finding.line,
        "level": finding.level,
        "rule": finding.rule,
        "message": finding.message,
    }


def _refused(report: CheckReport) -> Refused | None:
    errors = report.errors
    if not errors:
        return None
    number = count(len(errors), "change")
    reasons = tuple(f"{one.commit[:_SHORT]} {_place_text(one)}" for one in errors)
    return Refused(f"{number} that nobody agreed to", hint=_HINT, reasons=reasons)


def _print_commit(commit: CheckedCommit, findings: list[Finding]) -> None:
    if commit.standing == "untouched" and not findings:
        return
    line(safe(f"{commit.info.commit[:_SHORT]} {commit.subject}"))
    if commit.standing != "reported":
        touched = ", ".join(commit.touches)
        about = f" ({safe(commit.evidence)})" if commit.evidence else ""
        line(f"  {safe(touched)}{': ' if touched else ''}{commit.standing}{about}")
    for finding in findings:
        line(f"  {_finding_text(finding)}")


def _finding_text(finding: Finding) -> str:
    level = paint(f"{finding.level}:", _STYLES[finding.level], sys.stdout)
    return f"{level} {_place_text(finding)}"


def _place_text(finding: Finding) -> str:
    where = finding.path or ""
    if finding.line is not None and where:
        where += f":{finding.line}"
    words = [where, finding.environment, finding.message]
    return safe(": ".join(word for word in words if word))


def _summary(report: CheckReport) -> str:
    what = count(len(report.commits), "change")
    base = report.base[:_SHORT] if report.base is not None else "the beginning"
    where = f"on {report.branch}" if report.landed else f"for {report.branch}"
    levels = [one.level for one in report.findings]
    found = ", ".join(count(levels.count(level), level) for level in ("error", "warning"))
    if not report.protected:
        found = "no environment is protected (change: pull-request), " + found
    return safe(f"{what} {where} ({base}..{report.tip[:_SHORT]}): {found}")
