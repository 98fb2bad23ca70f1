"""What a call tells of several overlays, once what is the same of many: all go, or none does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops.core.git.message import told_labels
from gitops.errors import GitopsError, NotFound, Refused


class Told:
    """Collects notes and warnings, overlay by overlay; of one alone they need no name.

    Attributes:
        several: there is more than one overlay.
    """

    def __init__(self, *, several: bool) -> None:
        self.several = several
        self._notes: dict[str, list[str]] = {}
        self._warnings: dict[str, list[str]] = {}

    def notes(self, label: str, texts: Iterable[str]) -> None:
        """Add what a person should know of one overlay."""
        for text in texts:
            self._notes.setdefault(text, []).append(label)

    def warnings(self, label: str, texts: Iterable[str]) -> None:
        """Add what warns of one overlay."""
        for text in texts:
            self._warnings.setdefault(text, []).append(label)

    def all_notes(self) -> tuple[str, ...]:
        """Return the notes, each with the overlays that it is about where there are several."""
        return self._told(self._notes)

    def all_warnings(self) -> tuple[str, ...]:
        """Return the warnings likewise."""
        return self._told(self._warnings)

    def _told(self, found: dict[str, list[str]]) -> tuple[str, ...]:
        if not self.several:
            return tuple(found)
        return tuple(f"{told_labels(labels)}: {text}" for text, labels in found.items())


def refusal_of_all(
    done: str, against: Sequence[tuple[str, GitopsError]], *, hint: str | None = None
) -> GitopsError:
    """Return the error of a call that does nothing since it cannot do all of it.

    Args:
        done: what was not done, `rolled back`.
        against: (label, why) of each overlay that is in the way.
    """
    kind = NotFound if all(isinstance(error, NotFound) for _, error in against) else Refused
    labels = told_labels([label for label, _ in against])
    hints = list(dict.fromkeys(error.hint for _, error in against if error.hint))
    if hint is None and len(hints) == 1:
        hint = hints[0]
    return kind(
        f"nothing was {done}: {labels} cannot be",
        hint=hint,
        reasons=tuple(
            text
            for label, error in against
            for text in (f"{label}: {error.message}", *(f"  {one}" for one in error.reasons))
        ),
    )
