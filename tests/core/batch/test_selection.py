"""The combining rule, case by case; test_combining_model.py runs it as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from gitops.core.batch.intents import MAX_BYTES, REF_PREFIX, Intent, encode, sign
from gitops.core.batch.selection import (
    AnsweredIntent,
    Combined,
    IntentFault,
    QueuePosition,
    Rejected,
    choose_refs,
    combine,
    is_turn,
    select,
    with_answers,
    with_carrier,
)
from gitops.core.batch.selection import admit as admit_at
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.errors import NotFound, Refused, Unavailable

KEY = b"a key that the jobs share"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BASE = "a" * 40
INTENT = Intent(
    id="0190-abcdef12",
    repository="git.example.com/shop/manifests",
    branch="main",
    base=BASE,
    author=Identity("Ana", "ana@example.com"),
    images=("shop/api:1.4.2",),
    created=NOW - timedelta(minutes=1),
    expires=NOW + timedelta(minutes=5),
    to=("dev",),
)
PLACE = QueuePosition(
    "git.example.com/shop/manifests", "main", NOW, {BASE, "b" * 40}, {"0190-landed00"}
)


def numbered(number: int, **changes: object) -> Intent:
    """One of several intents."""
    return replace(INTENT, id=f"intent-{number:04}", **changes)


def offered(*intents: Intent) -> dict[str, bytes]:
    """What their writers publish."""
    return {intent.ref_name: sign(intent, KEY) for intent in intents}


def admit(intent: Intent, place: QueuePosition = PLACE, key: bytes = KEY) -> Intent | Rejected:
    """Judge one intent as its writer would publish it."""
    return admit_at(intent.ref_name, sign(intent, key), key=KEY, place=place)


def test_an_authentic_intent_is_admitted() -> None:
    """What was sealed for this repository and branch, in time, may be applied."""
    assert admit(INTENT) == INTENT


@pytest.mark.parametrize(
    ("intent", "fault", "removed"),
    [
        (replace(INTENT, branch="production"), IntentFault.OTHER_BRANCH, False),
        (replace(INTENT, repository="git.example.com/x"), IntentFault.OTHER_REPOSITORY, True),
        (replace(INTENT, expires=NOW), IntentFault.EXPIRED, True),
        (replace(INTENT, id="0190-landed00"), IntentFault.REPLAYED, True),
        (replace(INTENT, base="c" * 40), IntentFault.OTHER_HISTORY, False),
        (
            replace(
                INTENT, created=NOW + timedelta(minutes=1), expires=NOW + timedelta(minutes=11)
            ),
            IntentFault.TOO_LONG,
            True,
        ),
        (
            replace(INTENT, branch="production", expires=NOW),
            IntentFault.EXPIRED,
            True,
        ),
    ],
)
def test_what_is_not_admitted(intent: Intent, fault: IntentFault, removed: bool) -> None:
    """Wrong place or time keeps an authentic intent out; it stays where another may apply it."""
    rejected = admit(intent)

    assert rejected == Rejected(intent.ref_name, fault)
    assert rejected.remove is removed


def test_the_last_moment_counts() -> None:
    """An intent that expires in a moment may still be applied, at most 10 minutes ahead."""
    ahead = replace(INTENT, created=NOW, expires=NOW + timedelta(minutes=10))

    assert admit(ahead) == ahead
    last = replace(INTENT, expires=NOW + timedelta(microseconds=1))
    assert admit(last) == last


@pytest.mark.parametrize(
    ("ref", "blob", "fault"),
    [
        (INTENT.ref_name, None, IntentFault.TOO_LARGE),
        (INTENT.ref_name, sign(INTENT, b"another key, long enough"), IntentFault.UNSIGNED),
        (INTENT.ref_name, encode(INTENT), IntentFault.UNSIGNED),
        (INTENT.ref_name, b"", IntentFault.UNSIGNED),
        (INTENT.ref_name, sign(INTENT, KEY).replace(b"1.4.2", b"6.6.6"), IntentFault.UNSIGNED),
        (INTENT.ref_name, sign(INTENT, KEY) + b" " * MAX_BYTES, IntentFault.TOO_LARGE),
        (INTENT.ref_name, b"gitops-intent/2 from the future", IntentFault.OTHER_VERSION),
        (REF_PREFIX + "0190-abcdef13", sign(INTENT, KEY), IntentFault.MISNAMED),
    ],
)
def test_what_nobody_with_the_key_made(ref: str, blob: bytes | None, fault: IntentFault) -> None:
    """Forged, altered, huge, foreign and renamed blobs are told apart, and never applied."""
    assert admit_at(ref, blob, key=KEY, place=PLACE) == Rejected(ref, fault)


def test_a_report_names_the_intent_on_one_line() -> None:
    """A rejected intent is reported by its id and the reason."""
    rejected = admit(INTENT, key=b"another key, long enough")

    assert str(rejected) == "intent 0190-abcdef12: not sealed with this key, or altered"


def test_oldest_first_and_bounded() -> None:
    """Of many intents the oldest are taken, equal ones in the same order for all carriers."""
    young = numbered(1, created=NOW)
    old = numbered(2, created=NOW - timedelta(minutes=3))
    same = numbered(3, created=NOW - timedelta(minutes=3))

    chosen = select(offered(young, same, old), key=KEY, place=PLACE, limit=2)

    assert chosen.intents == (old, same)


def test_reading_is_bounded_and_own_comes_first() -> None:
    """No more refs than the limit are read, the writer's own among them, foreign names never."""
    refs = [REF_PREFIX + f"flood-{number:06}" for number in range(1000)]

    drawn = choose_refs([*refs, "refs/heads/main"], "0190-own00000", 10)

    assert drawn[0] == REF_PREFIX + "0190-own00000"
    assert len(drawn) == 10
    assert set(drawn[1:]) < set(refs)


def test_a_flood_is_drawn_from_differently_by_each() -> None:
    """Somebody who floods the namespace cannot make all writers pass over one intent."""
    refs = [REF_PREFIX + f"flood-{number:06}" for number in range(200)]

    drawn = {ref for own in range(200) for ref in choose_refs(refs, f"writer-{own:03}", 10)}

    assert drawn >= set(refs)


def test_one_that_cannot_be_applied_blocks_no_other() -> None:
    """The intents around a refused one land, in order; all refs go in the same push."""
    first, second, third = (
        numbered(number, created=NOW - timedelta(seconds=9 - number)) for number in range(3)
    )
    refusal = Refused("held by ana")

    def apply(state: str, intent: Intent) -> str | None:
        if intent == second:
            raise refusal
        return f"{state} {intent.id}"

    combined = combine("tip", select(offered(first, second, third), key=KEY, place=PLACE), apply)

    assert combined.state == "tip intent-0000 intent-0002"
    assert combined.carried == (first, third)
    assert [(entry.intent, entry.error) for entry in combined.answered] == [(second, refusal)]
    assert set(combined.removals) == {first.ref_name, second.ref_name, third.ref_name}


def test_what_stands_there_already_makes_no_commit() -> None:
    """An intent with nothing to change is settled: its ref goes, no commit is made."""
    selection = select(offered(INTENT), key=KEY, place=PLACE)

    combined = combine("tip", selection, lambda state, intent: None)

    assert combined == Combined("tip", (), (INTENT,), ())
    assert combined.removals == (INTENT.ref_name,)


def test_what_cannot_be_judged_now_is_left() -> None:
    """A server that does not answer the carrier says nothing about the intent: its ref stays."""
    trouble = Unavailable("no connection")
    first, second = numbered(1, created=NOW - timedelta(seconds=9)), numbered(2, created=NOW)

    def apply(state: str, intent: Intent) -> str | None:
        if intent == first:
            raise trouble
        return f"{state} {intent.id}"

    combined = combine("tip", select(offered(first, second), key=KEY, place=PLACE), apply)

    assert [(first, trouble)] == [(entry.intent, entry.error) for entry in combined.left]
    assert ("tip intent-0002", (second.ref_name,)) == (combined.state, combined.removals)


def test_what_is_thrown_out_is_not_part_of_the_push() -> None:
    """A forged ref that somebody keeps touching must not make the push of the branch lose."""
    blobs = offered(INTENT) | {REF_PREFIX + "forged-0001": b"please deploy this"}
    selection = select(blobs, key=KEY, place=PLACE)

    combined = combine("tip", selection, lambda state, intent: state + "!")

    assert combined.removals == (INTENT.ref_name,)
    assert [entry.ref for entry in selection.rejected] == [REF_PREFIX + "forged-0001"]


def test_the_owner_of_the_oldest_carries() -> None:
    """The others wait; when nothing changes for long they take over, one after the other."""
    queue = [numbered(number) for number in range(3)]
    turns = {
        waited: [is_turn(queue, one.id, waited=waited, patience=2.0) for one in queue]
        for waited in (0.0, 1.9, 2.0, 3.9, 4.0)
    }

    assert {
        0.0: [True, False, False],
        1.9: [True, False, False],
        2.0: [True, True, False],
        3.9: [True, True, False],
        4.0: [True, True, True],
    } == turns
    assert not is_turn(queue[:2], queue[2].id, waited=100.0, patience=2.0)


def test_what_was_not_applied_is_recorded() -> None:
    """The commit that went instead says whose intent was refused, and why, on one line each."""
    reasons = ("prod: held by Ana: INC-42", "prod: frozen")
    refused = AnsweredIntent(INTENT, Refused("refused: 2 reasons", reasons=reasons))
    missing = AnsweredIntent(replace(INTENT, to=(), ref="main"), NotFound("no image\nshop/api"))

    message = with_answers("dev: x\n\nGitops-Id: 1\n", [refused, missing])

    assert message == (
        "dev: x\n\nGitops-Id: 1\n"
        "Gitops-Not-Applied: 0190-abcdef12 of Ana, shop/api:1.4.2 to dev: "
        "prod: held by Ana: INC-42; prod: frozen\n"
        "Gitops-Not-Applied: 0190-abcdef12 of Ana, shop/api:1.4.2 to what follows main: "
        "no image shop/api\n"
    )
    assert 2 == len(trailers(message)["Gitops-Not-Applied"])


def test_the_carrier_stands_among_the_trailers() -> None:
    """A carried commit says who carried it, where trailers are read, on one line."""
    message = "dev: shop/api 1.4.1 -> 1.4.2\n\nGitops-Action: deploy\nGitops-Id: 0190-abcdef12\n"

    carried = with_carrier(message, Identity("Bo\nGitops-Id: x", "bo@example.com"))

    assert carried == message + "Gitops-Combined-By: Bo Gitops-Id: x <bo@example.com>\n"
