"""How far the wait for one release has come, and how it ends: a state machine without I/O.

What is read of the clusters goes in (`read`, `tick`), a verdict comes out (`ending`), and in
between how long to rest (`due`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.argocd.health import Observation
from gitops.core.argocd.reports import WaitVerdict
from gitops.core.argocd.stability import Following, follow

_AGAIN = 2.0  # seconds until a failed reading is tried again
_TWICE = 1.05  # until the second of two readings that make an answer
_LONGEST_SOAK_PAUSE = 5.0
_LONGEST_PAUSE = 3.0


class WaitTerms(Struct, frozen=True):
    """On what terms something is waited for.

    Attributes:
        soak, timeout: seconds.
        follow: go on with a newer release when one comes.
        record: write the verdict to the ledger.
    """

    soak: float
    timeout: float
    follow: bool = False
    record: bool = True


class WaitEnding(Struct, frozen=True):
    """How a wait ends.

    Attributes:
        record: what the ledger is told of it, None for nothing.
    """

    verdict: WaitVerdict
    record: Literal["stable", "degraded"] | None = None


class WaitProgress(Struct, frozen=True):
    """One release that is waited for, from reading to reading.

    Attributes:
        following: what the readings so far amount to.
        unreadable: why the last reading failed, None when it did not.
        spent: seconds of the timeout that are used up; those in which all is Healthy are not.
        ticked: monotonic seconds of the last step.
    """

    terms: WaitTerms
    following: Following = Following()
    unreadable: str | None = None
    spent: float = 0.0
    ticked: float | None = None

    def read(self, observations: Sequence[Observation], *, at: float) -> WaitProgress:
        """Return what is known after one more reading, at `at` monotonic seconds."""
        following = follow(self.following, observations, at=at, soak=self.terms.soak)
        return replace(self, following=following)

    def tick(self, now: float, *, unreadable: str | None = None) -> WaitProgress:
        """Return what is known after one more step, with or without a reading."""
        spent = self.spent
        worst = self.following.worst
        is_fine = unreadable is None and worst is not None and worst.state == "healthy"
        if self.ticked is not None and not is_fine:
            spent += now - self.ticked
        return replace(self, unreadable=unreadable, spent=spent, ticked=now)

    def anew(self) -> WaitProgress:
        """Return where the wait stands when it goes on with another release."""
        return replace(self, following=Following())

    @property
    def due(self) -> float:
        """Seconds until the next reading is worth something, when nothing wakes us."""
        if self.unreadable is not None:
            return _AGAIN
        if self.following.bad is not None:
            return _TWICE
        worst = self.following.worst
        if worst is None or worst.state != "healthy":
            return min(_LONGEST_PAUSE, max(self.terms.timeout - self.spent, 0.1))
        if not self.following.answered or self._needs_no_soak:
            return _TWICE
        left = max(self.terms.soak, 5.0) + 1.0 - self.following.steady
        return min(max(left, 0.2), _LONGEST_SOAK_PAUSE)

    @property
    def ending(self) -> WaitEnding | None:
        """How it ends, None while it goes on. One that is superseded may go on with the newer."""
        worst = self.following.worst
        match self.following.answer:
            case "stable":
                verdict: WaitVerdict = "stable" if self.terms.soak > 0 else "healthy"
                return WaitEnding(verdict, "stable")
            case "healthy" if self._needs_no_soak:
                return WaitEnding("healthy")
            case "degraded":
                return WaitEnding("degraded", "degraded")
            case "failed" | "unrendered" as answer:
                return WaitEnding(answer)
            case _ if worst is not None and worst.state == "superseded" and self.unreadable is None:
                return WaitEnding("superseded")
            case _ if worst is not None and worst.state == "frozen":
                return WaitEnding("frozen")
            case _ if self.spent >= self.terms.timeout:
                return WaitEnding(self._at_the_end(worst))
        return None

    def describe(self, verdict: WaitVerdict, missing: str | None) -> str:
        """Say in one sentence why it ends so; `missing`: what Git does not ask for yet."""
        worst = self.following.worst
        over = verdict not in ("healthy", "stable", "degraded", "failed", "unrendered")
        over = over and verdict not in ("superseded", "frozen")
        late = f" after {self.terms.timeout:.0f} s" if over else ""
        if self.unreadable is not None:
            return f"not known{late}: {self.unreadable}"
        if missing is not None:
            return f"Git does not ask for {missing}{late}"
        if worst is None:
            return f"nothing was seen of it{late}"
        if verdict == "stable":
            return f"Healthy for {self.following.steady:.0f} s"
        who = f"{worst.ref.name}: " if len(self.following.observations) > 1 else ""
        return f"{who}{worst.text}{late and f' ({late.strip()})'}"

    @property
    def _needs_no_soak(self) -> bool:
        return not self.terms.record and self.terms.soak == 0

    def _at_the_end(self, worst: Observation | None) -> WaitVerdict:
        if worst is None:
            return "unseen"
        if worst.state == "healthy":
            return "healthy" if self.following.answered else "progressing"
        return worst.state
