"""What `gitops check` finds: commits that change an environment in a way nobody agreed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.audit.affected import AffectedPath
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import said_of, subject, trailers
from gitops.core.hold import Hold
from gitops.core.text.plain import one_line

FindingLevel = Literal["error", "warning", "notice"]
Rule = Literal["approval", "rollback", "history", "remote", "outside", "unreadable", "data"]
ChangeStatus = Literal[
    "untouched", "approved", "claimed", "rollback", "signed", "waiting", "reported"
]


class Finding(Struct, frozen=True):
    """One thing that somebody should look at.

    Attributes:
        commit: the commit that does it.
        environment: label of the overlay, None when it is about no single one.
        path: the path that it is about, None when it is about the whole commit.
        line: from 1, where one is known.
        level: an `error` makes the check fail; a `warning` and a `notice` do not.
        rule: which rule it breaks.
    """

    commit: str
    environment: str | None
    path: str | None
    level: FindingLevel
    rule: Rule
    message: str
    line: int | None = None


class Approval(Struct, frozen=True):
    """What proves, or claims, that people agreed to a change of one environment.

    Attributes:
        kind: `forge` (its pull request), `signed` (lines of the ledger that listed keys signed),
            `claimed` (lines of the ledger that anybody may have written).
        place: what messages call it: `pull request 7`, `the ledger`.
        head: the commit that was approved.
        by: who approved it and may.
        required: how many must.
        merged: False while it waits.
        enforced: for one that waits, whether something keeps it from landing without approval;
            None when nobody knows.
    """

    kind: Literal["forge", "signed", "claimed"]
    place: str
    head: str
    by: tuple[str, ...]
    required: int
    merged: bool = True
    enforced: bool | None = None
    url: str | None = None

    @property
    def enough(self) -> bool:
        """True when as many agreed as must."""
        return len(self.by) >= self.required

    def __str__(self) -> str:
        """Say who agreed, where."""
        if not self.by:
            return f"{self.place}, approved by nobody"
        return f"{self.place}, approved by {one_line(', '.join(self.by))}"


class Claim(Struct, frozen=True):
    """A commit that says it is a rollback.

    Attributes:
        labels: the overlays that it names, each once.
        restores: the commit whose images it says that it put back.
        own: label -> the same, where it says one for each.
        overrides: what it says was passed over.
        by: where it says so: `its message`, `its hold`.
        undo: it says that it takes a rollback back.
    """

    labels: tuple[str, ...]
    restores: str | None
    overrides: tuple[str, ...] = ()
    by: str = "its message"
    undo: bool = False
    own: Mapping[str, str] = {}

    def about(self, label: str) -> Claim:
        """Return what it says of one of its overlays."""
        return replace(self, labels=(label,), restores=self.own.get(label, self.restores), own={})

    @property
    def kind(self) -> str:
        """What it says that it is."""
        return "an undo" if self.undo else "a rollback"


class CheckedCommit(Struct, frozen=True):
    """One commit of the range, with what it touches of each environment and how it stands.

    Attributes:
        touches: label -> the paths that belong to this environment; protected ones only.
        standing: untouched (no protected environment), approved, claimed (approved, as the ledger
            says and nothing proves), rollback (a right one), signed (it only sets or lifts a hold,
            and a listed key signed it), waiting (for approval), reported (an error was found).
        evidence: why it stands so, in words.
    """

    info: CommitInfo
    parent: str | None
    touches: Mapping[str, tuple[AffectedPath, ...]] = {}
    standing: ChangeStatus = "untouched"
    evidence: str | None = None

    @property
    def subject(self) -> str:
        """The first paragraph of its message, as one line."""
        return subject(self.info.message)


class CheckReport(Struct, frozen=True):
    """What `gitops check` looked at and found.

    Attributes:
        base: the commit before the range, None when it begins with a root commit.
        tip: the last commit of the range.
        branch: the branch that it is on, or goes to.
        landed: whether it is on the branch.
        policy: the commit whose `gitops.yaml` was the first to count.
        proof: what approvals were read from (`GitHub at …`, signed lines of the ledger); None when
            nothing proves any, and when nothing had to be proven.
        protected: names of the environments with `change: pull-request`.
        commits: oldest first.
        inside: how many more commits came in by merges, and are looked at as part of them.
    """

    base: str | None
    tip: str
    branch: str
    landed: bool
    policy: str
    proof: str | None
    protected: tuple[str, ...]
    commits: tuple[CheckedCommit, ...]
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    inside: int = 0

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the check fail."""
        return tuple(one for one in self.findings if one.level == "error")


def claim_of(info: CommitInfo, holds: Mapping[str, Hold]) -> Claim | None:
    """Return what a commit says of itself when that is: a rollback.

    History believes the same places (`core.releases.history`): the trailers of the commit; for a
    merge, of the newest merged commit about an overlay; else the hold that it writes.

    Args:
        holds: label -> the hold that this very commit added or changed.
    """
    told: set[str] = set()
    for message in (info.message, *info.merged):
        found = trailers(message)
        if "Gitops-Action" not in found:
            continue
        labels = found.get("Gitops-Environment", ())
        news = not labels or not told.issuperset(labels)
        if news and "rollback" in found["Gitops-Action"]:
            return _rollback(found)
        told.update(labels)
        if not labels:
            break
    own = {
        label: hold.restores for label, hold in holds.items() if hold.restores and label not in told
    }
    if not own:
        return None
    if len(own) > 1:
        return Claim(tuple(own), None, by="its holds", own=own)
    return Claim(tuple(own), next(iter(own.values())), by="its hold")


def undo_of(info: CommitInfo) -> Claim | None:
    """Return what a commit says of itself when that is: it takes a rollback back."""
    for message in (info.message, *info.merged):
        found = trailers(message)
        if "undo" in found.get("Gitops-Action", ()):
            labels = tuple(dict.fromkeys(found.get("Gitops-Environment", ())))
            return Claim(labels, None, undo=True)
    return None


def _rollback(found: Mapping[str, tuple[str, ...]]) -> Claim:
    labels = tuple(dict.fromkeys(found.get("Gitops-Environment", ())))
    shared = said_of(found, "Gitops-Restores", ())
    each = {label: said_of(found, "Gitops-Restores", (label,)) for label in labels}
    own = {label: commit for label, commit in each.items() if commit not in (None, shared)}
    return Claim(labels, shared, found.get("Gitops-Override", ()), own=own)


def judge_approval(
    commit: str,
    label: str,
    touches: Sequence[AffectedPath],
    approval: Approval | None,
    *,
    landed: bool,
    declared: bool = False,
    strange: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Say what is wrong with a change of a protected environment, () when people agreed to it.

    Args:
        declared: it waits as a proposal of this very environment, of image values only.
        strange: paths with something else in them than was approved.
    """
    level, why = _missing(approval, landed=landed, declared=declared)
    found = []
    for touch in touches:
        if approval is not None and approval.enough and touch.path in strange:
            text = f"{approval}, but not with this in it"
            found.append(Finding(commit, label, touch.path, "error", "approval", _say(touch, text)))
        elif level is not None:
            found.append(Finding(commit, label, touch.path, level, "approval", _say(touch, why)))
    return tuple(found)


def _missing(
    approval: Approval | None, *, landed: bool, declared: bool
) -> tuple[FindingLevel | None, str]:
    """Return how bad it is that people did not agree, None when they did; and the words for it."""
    if approval is None:
        what = "no merged proposal brought it" if landed else "nobody approved it yet"
        return "error", what
    if approval.enough:
        if approval.kind != "claimed":
            return None, ""
        return "warning", f"{approval}: that is a claim, nothing here proves it"
    if landed:
        return "error", f"{approval}, where {approval.required} must"
    if not declared:
        return "error", _waits(approval)
    if approval.enforced is False:
        return "error", f"{_waits(approval)}, and nothing keeps it from being merged without"
    return "notice", _waits(approval)


def _say(touch: AffectedPath, why: str) -> str:
    return f"{touch.reason}; {why}"


def _waits(approval: Approval) -> str:
    missing = approval.required - len(approval.by)
    count = "an approval" if missing == 1 else f"{missing} approvals"
    return f"{approval.place} waits for {count}"
