"""What a call tells of several overlays, once what is the same of many: all go, or none does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops.core.git.message import told_labels
from gitops.errors import GitopsError, NotFound, Refused

_MOST_HINTS = 3  # that one line can hold
_MOST_TYPED = 12  # overlays in a command that somebody is told to type


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


def typed_without(words: Sequence[str], labels: Sequence[str], barred: Iterable[str]) -> str | None:
    """Say which command does what nothing bars; None where that is nothing, or much.

    Args:
        words: the command, `promote`, `shop/api`; the overlays follow as `--to`.
        labels: of all overlays that the call would have changed.
        barred: labels of those that are kept out.
    """
    import shlex  # only on the way out

    kept_out = set(barred)
    free = [label for label in labels if label not in kept_out]
    if not 0 < len(free) <= _MOST_TYPED:
        return None
    typed = shlex.join([*words, *(word for label in free for word in ("--to", label))])
    return f"`gitops {typed}` does what is free to go"


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
    if hint is None and 0 < len(hints) <= _MOST_HINTS:
        hint = "; ".join(hints)
    return kind(
        f"nothing was {done}: {labels} cannot be",
        hint=hint,
        reasons=tuple(
            text
            for label, error in against
            for text in (f"{label}: {error.message}", *(f"  {one}" for one in error.reasons))
        ),
    )
