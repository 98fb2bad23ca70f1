"""An intent's bytes and its seal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gitops.core.batch.intents import (
    MAX_BYTES,
    REF_PREFIX,
    Intent,
    Unreadable,
    decode,
    encode,
    is_outdated,
    key_from,
    sign,
    verify,
)
from gitops.core.git.commit import Identity, timed_id
from gitops.errors import UsageError

KEY = b"a key that the jobs share"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
INTENT = Intent(
    id="0190-abcdef12",
    repository="git.example.com/shop/manifests",
    branch="main",
    base="a" * 40,
    author=Identity("Ana", "ana@example.com"),
    images=("shop/api:1.4.2",),
    created=NOW,
    expires=NOW + timedelta(minutes=5),
    to=("dev",),
)
OTHER_VALUES = {
    "id": "0190-abcdef13",
    "repository": "git.example.com/shop/other",
    "branch": "production",
    "base": "b" * 40,
    "author": Identity("Eve", "ana@example.com"),
    "images": ("shop/api:6.6.6",),
    "created": NOW - timedelta(seconds=1),
    "expires": NOW + timedelta(minutes=6),
    "to": ("prod",),
    "ref": "main",
    "commit": "c" * 40,
    "app": "shop",
    "reason": "because",
    "add": True,
}


def lines(low: int = 1) -> st.SearchStrategy[str]:
    """Texts of one line that the terminal can show."""
    letters = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
    return st.text(letters, min_size=low, max_size=10)


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    """Any intent that may be written down."""
    zone = timezone(timedelta(minutes=draw(st.integers(-720, 720))))
    created = datetime(2026, 1, 1, tzinfo=zone) + timedelta(
        microseconds=draw(st.integers(0, 10**15))
    )
    to = draw(st.lists(lines(), max_size=3))
    return Intent(
        id=draw(st.text("0123456789abcXYZ", min_size=8, max_size=16)),
        repository=draw(lines()),
        branch=draw(lines()),
        base=f"{draw(st.integers(0, 16**40 - 1)):040x}",
        author=Identity(draw(lines()), draw(lines())),
        images=tuple(draw(st.lists(lines(), min_size=1, max_size=4))),
        created=created,
        expires=created + timedelta(microseconds=draw(st.integers(1, 600_000_000))),
        to=tuple(to),
        ref=draw(lines() if not to else st.none() | lines()),
        commit=draw(st.none() | lines()),
        app=draw(st.none() | lines()),
        reason=draw(st.none() | lines(0)),
        add=draw(st.booleans()),
    )


@given(intents())
def test_bytes_and_back(intent: Intent) -> None:
    """An intent that was sealed is read back whole by those who have the key."""
    content = verify(sign(intent, KEY), KEY)

    assert content == encode(intent)
    assert decode(content) == intent


@given(intents(), st.data())
def test_any_changed_byte_breaks_the_seal(intent: Intent, data: st.DataObject) -> None:
    """No byte of a published intent, header and seal included, can be changed."""
    blob = sign(intent, KEY)
    at = data.draw(st.integers(0, len(blob) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != blob[at]))
    altered = blob[:at] + bytes([other]) + blob[at + 1 :]

    assert verify(altered, KEY) is None


@given(st.binary(max_size=300))
def test_any_bytes_can_be_offered(blob: bytes) -> None:
    """Whatever somebody pushes is answered, never a crash, and never taken for sealed."""
    assert verify(blob, KEY) is None


@pytest.mark.parametrize("field", Intent.__struct_fields__)
def test_the_seal_covers_every_field(field: str) -> None:
    """A seal of one intent does not fit one that differs in any single field."""
    other = replace(INTENT, **{field: OTHER_VALUES[field]})
    header, _, _ = sign(INTENT, KEY).partition(b"\n")

    assert verify(header + b"\n" + encode(other), KEY) is None


def test_another_key_is_another_seal() -> None:
    """Who does not have the key can seal nothing."""
    assert verify(sign(INTENT, b"a key that somebody made up"), KEY) is None


def test_a_seal_is_for_this_version_only() -> None:
    """Content under the header of another version does not keep its seal."""
    blob = sign(INTENT, KEY)

    assert verify(blob.replace(b"gitops-intent/1 ", b"gitops-intent/2 ", 1), KEY) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        encode(INTENT) + b"\n",
        encode(INTENT).replace(b'"add":false', b'"add":0'),
        encode(INTENT).replace(b'"add":false', b'"add":true,"add":false'),
        encode(INTENT).replace(b'{"add"', b'{"override":"INC-42","add"'),
        encode(INTENT).replace(b'"to":["dev"]', b'"to":"dev"'),
        encode(INTENT).replace(b'"to":["dev"]', b'"to":[]'),
        encode(INTENT).replace(b'["shop/api:1.4.2"]', b"[]"),
        encode(INTENT).replace(b"0190-abcdef12", b"../../../heads/main"),
        encode(INTENT).replace(b"Ana", b"Ana\\nGitops-Id: x"),
        encode(INTENT).replace(b"+00:00", b""),
        encode(INTENT).replace(b"09:35", b"09:41"),
        encode(INTENT).replace(b"09:35", b"09:30"),
        encode(INTENT).replace(b"a" * 40, b"main"),
        json.dumps(json.loads(encode(INTENT))).encode(),
    ],
)
def test_sealed_nonsense_is_no_intent(content: bytes) -> None:
    """Content of another shape is refused even from those who have the key."""
    with pytest.raises(Unreadable):
        decode(content)


def test_too_large_to_be_carried() -> None:
    """What others would not read is not published."""
    images = tuple(f"shop/service-{number}:1.0.0" for number in range(MAX_BYTES // 20))

    with pytest.raises(UsageError, match="too large"):
        sign(replace(INTENT, images=images), KEY)


def test_a_big_call_fits() -> None:
    """200 images pinned by tag and digest can be carried."""
    images = tuple(
        f"registry.example.com/shop/service-{n}:1.0.{n}@sha256:{'0' * 64}" for n in range(200)
    )

    assert len(sign(replace(INTENT, images=images), KEY)) < MAX_BYTES


def test_a_short_key_is_refused_and_not_shown() -> None:
    """A key that can be guessed is an error, without the key in its words."""
    with pytest.raises(UsageError) as caught:
        key_from("hunter2\n")

    assert "hunter2" not in str(caught.value) + str(caught.value.hint)


def test_the_line_break_of_a_secret_file_is_no_part_of_the_key() -> None:
    """Jobs that read the key from a file and from a variable have the same key."""
    assert key_from("0123456789abcdef\n") == b"0123456789abcdef"


def test_an_id_tells_when_it_was_made() -> None:
    """After a minute the ref of an intent, going by its name alone, is outdated."""
    name = timed_id(NOW.timestamp(), b"0123456789")
    ref = REF_PREFIX + name

    assert replace(INTENT, id=name).ref_name == ref
    assert not is_outdated(ref, NOW + timedelta(seconds=59))
    assert is_outdated(ref, NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    "ref",
    [
        REF_PREFIX + "0190-abcdef12",
        REF_PREFIX + "0" * 31,
        "refs/heads/" + "0" * 32,
        "refs/gitops/intents",
    ],
)
def test_a_name_that_tells_no_time_is_not_outdated(ref: str) -> None:
    """Other names say nothing."""
    assert not is_outdated(ref, NOW)


def test_ids_made_later_sort_later() -> None:
    """Equal lengths, and the time in front."""
    early, late = timed_id(9.999, b"\xff" * 10), timed_id(4102444800.0, b"\0" * 10)

    assert early < late
    assert 32 == len(early) == len(late)
