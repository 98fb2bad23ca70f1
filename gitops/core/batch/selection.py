"""The combining rule: which published intents may be applied, in what order, and what becomes of
those that may not.

The rule rests on one atomic push: it moves the branch from the tip that was read, and removes the
refs of everything that was carried or answered. So for an intent to land twice the same tip would
have to be left twice. A copy put back later is caught because its id stands on the branch; the
branch is looked at back to the `base` of each intent, where it cannot have landed yet, and an
intent whose `base` was not reached is not applied. What is thrown out is removed by a push of its
own: were it part of the atomic one, somebody who only may write such refs could make every push of
the branch lose by touching them.

A vanished ref proves nothing: an owner has succeeded when its id is on the branch. An owner whose
ref is gone and whose id is not there plans again by itself, and so gets its own answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Final, Generic, TypeVar

from msgspec import Struct

from gitops.core.batch.intents import (
    LONGEST_LIFE,
    MAX_BYTES,
    REF_PREFIX,
    Intent,
    Unreadable,
    decode,
    is_current_version,
    verify,
)
from gitops.core.git.commit import Identity
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, TryAgain

MOST_AT_ONCE: Final = 128  # intents read, and commits in one push
MOST_LISTED: Final = 1024  # refs; where there are more somebody floods, and nobody combines
CARRIER_TRAILER: Final = "Gitops-Combined-By"
ANSWER_TRAILER: Final = "Gitops-Not-Applied"

BatchState = TypeVar("BatchState")


class IntentFault(Enum):
    """Why an intent is not applied."""

    TOO_LARGE = "larger than an intent may be"
    OTHER_VERSION = "written by another version of gitops"
    UNSIGNED = "not sealed with this key, or altered"
    UNREADABLE = "sealed, but not an intent"
    MISNAMED = "published under the name of another intent"
    OTHER_REPOSITORY = "made for another repository"
    TOO_LONG = "valid for more than 10 minutes"
    EXPIRED = "expired"
    OTHER_BRANCH = "made for another branch"
    REPLAYED = "landed already"
    OTHER_HISTORY = "made on a commit that is not on the branch, or too far back"


# Another carrier may see further back, speak that version, or carry for that branch.
_OTHERS_BUSINESS: Final = frozenset(
    {IntentFault.OTHER_VERSION, IntentFault.OTHER_BRANCH, IntentFault.OTHER_HISTORY}
)


class Rejected(Struct, frozen=True):
    """A published blob that must not be applied."""

    ref: str
    fault: IntentFault

    @property
    def remove(self) -> bool:
        """True when whoever sees it reports and removes it: nobody will ever apply it."""
        return self.fault not in _OTHERS_BUSINESS

    def __str__(self) -> str:
        return f"intent {one_line(self.ref.removeprefix(REF_PREFIX), 64)}: {self.fault.value}"


class QueuePosition(Struct, frozen=True):
    """Where and when intents are judged.

    Attributes:
        now: the judge's time, with a time zone.
        commits: the tip, and those older commits of the branch since which everything on it was
            looked at.
        landed_ids: every `Gitops-Id` in the messages of what was looked at, merged commits too.
    """

    repository: str
    branch: str
    now: datetime
    commits: Collection[str]
    landed_ids: Collection[str]


def admit(ref: str, blob: bytes | None, *, key: bytes, place: QueuePosition) -> Intent | Rejected:
    """Return the intent published at `ref` when it may be applied at `place`.

    `blob` is None for what is larger than `MAX_BYTES`, or no blob.
    """
    intent = read_intent(blob, key=key)
    if isinstance(intent, IntentFault):
        return Rejected(ref, intent)
    fault = _fault(ref, intent, place)
    return intent if fault is None else Rejected(ref, fault)


def _fault(ref: str, intent: Intent, place: QueuePosition) -> IntentFault | None:
    if ref != intent.ref_name:
        return IntentFault.MISNAMED
    if intent.repository != place.repository:
        return IntentFault.OTHER_REPOSITORY
    if intent.expires > place.now + LONGEST_LIFE:
        return IntentFault.TOO_LONG
    if intent.expires <= place.now:
        return IntentFault.EXPIRED
    if intent.branch != place.branch:
        return IntentFault.OTHER_BRANCH
    if intent.id in place.landed_ids:
        return IntentFault.REPLAYED
    if intent.base not in place.commits:
        return IntentFault.OTHER_HISTORY
    return None


def read_intent(blob: bytes | None, *, key: bytes) -> Intent | IntentFault:
    """Open `blob` without judging time and place: its `base` says how far back to look for ids."""
    if blob is None or len(blob) > MAX_BYTES:
        return IntentFault.TOO_LARGE
    if not is_current_version(blob):
        return IntentFault.OTHER_VERSION
    content = verify(blob, key)
    if content is None:
        return IntentFault.UNSIGNED
    try:
        return decode(content)
    except Unreadable:
        return IntentFault.UNREADABLE


def choose_refs(refs: Iterable[str], own: str, limit: int = MOST_AT_ONCE) -> tuple[str, ...]:
    """Return at most `limit` of the intent refs to be read: `own` first, then a fair draw.

    The draw depends on `own`, so that of more refs than one writer reads (somebody may flood the
    namespace) every writer takes other ones, and none is passed over by all.
    """
    own_ref = REF_PREFIX + own
    others = {ref for ref in refs if ref.startswith(REF_PREFIX)} - {own_ref}
    drawn = sorted(others, key=lambda ref: hashlib.sha256(f"{own} {ref}".encode()).digest())
    return (own_ref, *drawn)[:limit]


class Selection(Struct, frozen=True):
    """What one carrier does with the blobs that it has read.

    Attributes:
        intents: to be applied, in this order.
        rejected: never to be applied by us.
    """

    intents: tuple[Intent, ...]
    rejected: tuple[Rejected, ...]


def select(
    offered: Mapping[str, bytes | None],
    *,
    key: bytes,
    place: QueuePosition,
    limit: int = MOST_AT_ONCE,
) -> Selection:
    """Judge every blob (ref -> bytes), and take at most `limit`, oldest first.

    Oldest first starves nobody: who comes later stands behind, and who is left over is older
    than all newcomers at the next push. Equal times are ordered by id, the same for all carriers.
    """
    verdicts = [admit(ref, blob, key=key, place=place) for ref, blob in sorted(offered.items())]
    intents = [verdict for verdict in verdicts if isinstance(verdict, Intent)]
    intents.sort(key=lambda intent: (intent.created, intent.id))
    return Selection(
        tuple(intents[:limit]),
        tuple(verdict for verdict in verdicts if isinstance(verdict, Rejected)),
    )


class AnsweredIntent(Struct, frozen=True):
    """An intent that the tip refuses, with the words for its owner."""

    intent: Intent
    error: GitopsError


class Combined(Struct, Generic[BatchState], frozen=True):
    """What the atomic push holds.

    Attributes:
        state: the branch after all that could be applied.
        carried: the intents that changed it, oldest first: one commit each.
        settled: intents whose wish stood there already; they make no commit.
        answered: intents that cannot be applied.
        left: intents that could not be judged here and now; their refs stay.
    """

    state: BatchState
    carried: tuple[Intent, ...]
    settled: tuple[Intent, ...]
    answered: tuple[AnsweredIntent, ...]
    left: tuple[AnsweredIntent, ...] = ()

    @property
    def removals(self) -> tuple[str, ...]:
        """Refs that the same push deletes."""
        done = (*self.carried, *self.settled, *(entry.intent for entry in self.answered))
        return tuple(intent.ref_name for intent in done)


def combine(
    start: BatchState,
    selection: Selection,
    apply: Callable[[BatchState, Intent], BatchState | None],
) -> Combined[BatchState]:
    """Apply each intent on what the ones before it left behind; one that cannot blocks no other.

    `apply` returns the new state, None when nothing has to change, and raises GitopsError when
    policy or the manifests say no. TryAgain says nothing about the intent: it is left for later,
    or for another carrier. Unknown errors go through: then nothing may be pushed.
    """
    state = start
    carried: list[Intent] = []
    settled: list[Intent] = []
    answered: list[AnsweredIntent] = []
    left: list[AnsweredIntent] = []
    for intent in selection.intents:
        try:
            after = apply(state, intent)
        except TryAgain as error:
            left.append(AnsweredIntent(intent, error))
            continue
        except GitopsError as error:
            answered.append(AnsweredIntent(intent, error))
            continue
        if after is None:
            settled.append(intent)
        else:
            state = after
            carried.append(intent)
    return Combined(state, tuple(carried), tuple(settled), tuple(answered), tuple(left))


def is_turn(queue: Sequence[Intent], own: str, *, waited: float, patience: float) -> bool:
    """Say whether the owner of intent `own` carries now, or waits for somebody else to do it.

    Args:
        queue: what may be applied, oldest first.
        waited: seconds since anything changed: the branch, or who stands before `own`.
        patience: seconds that one carrier may take.

    The owner of the oldest intent carries at once. It may be dead or slow: then the next one does,
    and so on, one after the other, so that they do not all push at the same time.
    """
    ids = [intent.id for intent in queue]
    return own in ids and waited >= ids.index(own) * patience


def with_carrier(message: str, carrier: Identity) -> str:
    """Return the commit message of a carried intent, with `Gitops-Combined-By` in its trailers."""
    return _with_trailer(message, CARRIER_TRAILER, carrier.text)


def with_answers(message: str, answered: Iterable[AnsweredIntent]) -> str:
    """Return a commit message that also records the intents that could not be applied beside it.

    Their owners may be gone: then this is the only place where somebody learns of it.
    """
    for entry in answered:
        message = _with_trailer(message, ANSWER_TRAILER, describe_answer(entry))
    return message


def describe_answer(entry: AnsweredIntent) -> str:
    """Return who asked for what, and why it was not done, as one line."""
    intent = entry.intent
    where = ", ".join(intent.to) or f"what follows {intent.ref}"
    asked = f"{', '.join(intent.images)} to {where}"
    why = "; ".join(entry.error.reasons) or entry.error.message
    return one_line(f"{intent.id} of {intent.author.name}, {asked}: {why}")


def _with_trailer(message: str, key: str, text: str) -> str:
    return f"{message.rstrip()}\n{key}: {one_line(text)}\n"
