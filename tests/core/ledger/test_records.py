"""The ledger: lines written and read, signatures judged, and what counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from gitops.core.git.commit import Identity
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.parts import ledger_path, ledger_paths, recent_parts
from gitops.core.ledger.records import (
    Ledger,
    LedgerEntry,
    LedgerProblem,
    Record,
    RecordSubject,
    Verdict,
    _decode,
    _parse,
    append,
    approvals,
    read_ledger,
    render_record,
    texts_on,
)
from gitops.core.ledger.signatures import (
    BranchCommit,
    ExpectedSubject,
    LedgerCommit,
    history_problems,
    judge_signatures,
    line_of,
    why_no_word,
)
from gitops.core.ledger.verdicts import LatestVerdicts, is_news, judged, judged_sets, verdicts_on
from gitops.core.releases.release import Health, Release, Verdicts
from gitops.core.text.plain import one_line

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 64)
ONE = {"shop/api": ImageValue(tag="1"), "shop/web": ImageValue(tag="1")}
TWO = {"shop/api": ImageValue(tag="2"), "shop/web": ImageValue(tag="1")}
FULL = Record(
    A,
    "qa-passed",
    NOON,
    "Bo",
    "all good",
    {"shop/api": ImageValue("reg/api", "1.4", "sha256:" + "0" * 64)},
    True,
    "id-1",
    {"soak": 5.0, "applications": [{"name": "shop-dev", "since": None}]},
)


def said(
    commit: str,
    verdict: Verdict,
    minutes: int = 0,
    *,
    by: str = "Bo",
    machine: bool = False,
    images: Mapping[str, ImageValue] = ONE,
) -> Record:
    """A word on a release, some minutes after noon."""
    return Record(commit, verdict, NOON + timedelta(minutes=minutes), by, None, images, machine)


def entries(*records: Record) -> tuple[LedgerEntry, ...]:
    """The entries of a ledger that holds exactly `records`."""
    return read_ledger(b"".join(map(render_record, records))).entries


def released(commit: str, images: Mapping[str, ImageValue] | None) -> Release:
    """A release of an overlay."""
    return Release(commit, NOON, Identity("Ana", "ana@example.com"), "subject", "deploy", images)


def test_the_line() -> None:
    """One line of JSON, with the fields that other programs read, and no empty ones."""
    line = render_record(FULL)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "commit": A,
        "verdict": "qa-passed",
        "time": "2026-11-24T12:00:00Z",
        "by": "Bo",
        "reason": "all good",
        "images": [
            {
                "image": "shop/api",
                "name": "reg/api",
                "tag": "1.4",
                "digest": "sha256:" + "0" * 64,
            }
        ],
        "id": "id-1",
        "machine": True,
        "seen": {"soak": 5.0, "applications": [{"name": "shop-dev", "since": None}]},
    }
    assert set(json.loads(render_record(said(A, "stable")))) == {
        "commit",
        "verdict",
        "time",
        "by",
        "images",
    }


@pytest.mark.parametrize("record", [FULL, said(D, "approved"), said(A, "degraded", machine=True)])
def test_what_is_written_is_read_back(record: Record) -> None:
    """Every field survives."""
    assert Ledger((LedgerEntry(1, record),), ()) == read_ledger(render_record(record))


@given(st.text(min_size=1), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_survives_in_one_line(by: str, reason: str, tags: dict[str, str]) -> None:
    """Whatever people and servers say is one line that is read back, cleaned."""
    images = {image: ImageValue(tag=tag) for image, tag in tags.items()}
    record = replace(FULL, by=f"x{by}", reason=f"x{reason}", images=images)

    line = render_record(record)

    assert line.count(b"\n") == 1
    expected = replace(record, by=one_line(record.by), reason=one_line(record.reason or ""))
    assert [entry.record for entry in read_ledger(line).entries] == [expected]


GOOD = render_record(said(A, "stable"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "commit is missing"),
        (GOOD.replace(b'"' + A.encode(), b'"aaaa'), "commit has not all its digits"),
        (GOOD.replace(b"a" * 40, b"g" * 40), "commit has not all its digits"),
        (GOOD.replace(b'"stable"', b'"great"'), "verdict 'great' is unknown"),
        (GOOD.replace(b'"stable"', b"7"), "verdict is no text"),
        (GOOD.replace(b"2026-11", b"2026-13"), "time is no time"),
        (GOOD.replace(b"2026-11-24T12:00:00Z", b"0001-01-01T00:00+09:00"), "time is no time"),
        (GOOD.replace(b'"Bo"', b'" "'), "by is empty"),
        (GOOD.replace(b'"images": [', b'"images": [7, '), "no image"),
        (GOOD.replace(b'"images": [', b'"images": {}, "more": ['), "images is no list"),
        (GOOD.replace(b'"shop/api"', b"null"), "image is missing"),
        (GOOD.replace(b'"tag": "1"', b'"tag": 1'), "tag is no text"),
        (GOOD.rstrip() + b" " * (1 << 20), "too long"),
    ],
)
def test_a_damaged_line_is_passed_over(line: bytes, words: str) -> None:
    """It is told with its number, and the lines around it count."""
    found = read_ledger(GOOD + b"\n" + line.rstrip(b"\n") + b"\n" + GOOD)

    assert [entry.line for entry in found.entries] == [1, 4]
    assert [problem.line for problem in found.problems] == [3]
    assert words in str(found.problems[0])
    assert str(found.problems[0]).startswith("line 3: is no record: ")


@pytest.mark.parametrize("content", [None, b"", b"\n \r\n"])
def test_an_empty_ledger(content: bytes | None) -> None:
    """No file and no lines are no problem."""
    assert Ledger() == read_ledger(content)


def test_fields_of_a_later_version_are_passed_over() -> None:
    """What is not known does not hide what is."""
    line = GOOD.replace(b"{", b'{"new": {"a": [1]}, ', 1)

    assert entries(said(A, "stable")) == read_ledger(line).entries


@pytest.mark.parametrize("images", [b"", b', "images": null'])
def test_a_line_without_images_is_a_word_on_its_commit(images: bytes) -> None:
    """Whoever writes a line by hand need not list them."""
    line = b'{"commit": "%s", "verdict": "stable", "time": "2026-11-24T12:00", "by": "Bo"%s}'

    found = read_ledger(line % (A.encode(), images)).entries

    assert [said(A, "stable", images={})] == [entry.record for entry in found]


SAID: dict[str, object] = {
    "commit": A,
    "verdict": "stable",
    "time": "2026-11-24T12:00:00Z",
    "by": "Bo",
}
ODD = {
    "commit": [A, D, A.upper(), A[1:], f"{A}\n", 5, None],
    "verdict": ["stable", "qa-failed", "approved", "fine", None],
    "time": ["2026-11-24T12:00:00Z", "2026-11-24", "noon", 7],
    "by": ["Bo", " Bo\u2028\ud83d", "\u202e", "", 1],
    "reason": ["slow", " a\tb ", "", None, 3],
    "images": [
        [],
        [{"image": "a", "tag": "1", "digest": None}, {"image": "a", "name": "b"}],
        [{"image": "a", "tag": 1}],
        [{"image": "a", "more": 1}],
        [{"tag": "1"}],
        {"image": "a"},
        "a",
        None,
    ],
    "purpose": ["verdict", "approval", None, 1],
    "repository": ["host/m", None, 5],
    "environment": ["dev", None],
    "app": ["shop", None, 2],
    "id": ["i1", None, 2],
    "machine": [True, False, 1, None],
    "seen": [{"soak": 1.5, "list": [{"a": None}]}, {}, [], "x", None],
    "later": [1],
}


@given(
    st.fixed_dictionaries(
        {key: st.sampled_from(ODD[key]) for key in ("commit", "verdict", "time", "by")},
        optional={key: st.sampled_from(odd) for key, odd in list(ODD.items())[4:]},
    ),
    st.binary(max_size=2),
    st.integers(0, 40),
)
@example({**SAID, "reason": " a\tb "}, b"", 0)
@example({**SAID, "purpose": "verdict", "repository": "host/m"}, b"", 0)
def test_the_short_way_reads_what_the_long_one_reads(
    told: dict[str, object], noise: bytes, at: int
) -> None:
    """A line is what it is, however it is read, and what is wrong with it is told."""
    line = json.dumps(told).encode()
    for one in (line, line[:-at] + noise, line[:at] + noise + line[at:]):
        with patch("gitops.core.ledger.records._decode", side_effect=msgspec.DecodeError):
            slowly = _parsed(one)
        assert slowly == _parsed(one)


def _parsed(line: bytes) -> Record | None:
    with suppress(ValueError):
        return _parse(line)
    return None


def test_lines_as_gitops_writes_them_go_the_short_way() -> None:
    """All of them: with reason, images, machine, what was seen, and without."""
    about = RecordSubject("host/m", "dev", "shop")
    few = Record(A, "stable", NOON, "wait")
    for record in (FULL, few, replace(FULL, about=about), replace(few, verdict="approved")):
        line = render_record(record)
        _decode(line)
        assert _parse(line) == record


def test_only_the_newest_lines() -> None:
    """What stands long before the end is passed over, and lines keep their numbers."""
    line = render_record(FULL)
    content = b"junk\n" + 5 * line + b"no\n" + line

    found = read_ledger(content, last=len(line) + 5)
    assert [entry.line for entry in found.entries] == [6, 8]
    assert [str(problem) for problem in found.problems] == ["line 7: is no record: not JSON"]
    assert read_ledger(content, last=len(content)) == read_ledger(content)


@given(st.binary(max_size=80))
def test_append_keeps_every_byte(before: bytes) -> None:
    """What stands there, damaged or not, stays, and the new line is a line of its own."""
    after = append(before, FULL)

    assert after.startswith(before)
    assert read_ledger(after).entries[-1].record == FULL


def test_append_says_a_thing_once() -> None:
    """The same intent about the same release writes one line; all else is written."""
    first = append(None, FULL)

    assert first == render_record(FULL)
    assert append(first, replace(FULL, time=NOON + timedelta(hours=1))) == first
    for other in (
        replace(FULL, intent="id-2"),
        replace(FULL, commit=B),
        replace(FULL, verdict="qa-failed"),
        replace(FULL, intent=None),
    ):
        assert append(first, other) == first + render_record(other)
    nameless = render_record(said(A, "stable"))
    assert append(nameless, said(A, "stable")) == nameless * 2


def test_where_ledgers_are() -> None:
    """One file for each environment, of each app where there are apps."""
    assert ledger_path("prod", None) == "prod.jsonl"
    assert ledger_path("prod", "shop") == "shop/prod.jsonl"


def test_a_large_ledger_goes_on_in_another_file() -> None:
    """Files are read in the order of their numbers, and none behind a gap."""
    names = ("prod.2.jsonl", "prod.3.jsonl", "prod.5.jsonl", "prod.jsonl", "stage.2.jsonl")
    assert ledger_paths("prod", "shop", names) == (
        "shop/prod.jsonl",
        "shop/prod.2.jsonl",
        "shop/prod.3.jsonl",
    )
    assert ledger_paths("dev", None, names) == ("dev.jsonl",)


@pytest.mark.parametrize(("newest", "read"), [(0, 2), (1000, 2), (40_000, 1), (300_000, 1)])
def test_the_newest_words(newest: int, read: int) -> None:
    """The newest file is read, and the one before where it has hardly begun; no older one."""
    files: dict[str, bytes | None] = {"a": b"a", "b": b"b", "c": b"c" * newest}
    asked: list[str] = []

    def content(path: str) -> bytes | None:
        asked.append(path)
        return files[path]

    found = recent_parts(["a", "b", "c"], content)

    assert asked == ["c", "b"][:read]
    assert found == [("c", files["c"]), ("b", b"b")][:read]
    assert recent_parts(["d"], lambda _: None) == [("d", None)]


LINES = st.one_of(
    st.builds(
        lambda commit, verdict, images, machine, by: render_record(
            Record(commit, verdict, NOON, by, None, images, machine)
        ),
        st.sampled_from([A, B, C, D]),
        st.sampled_from(["stable", "degraded", "qa-passed", "approved"]),
        st.sampled_from([ONE, TWO, {}]),
        st.booleans(),
        st.sampled_from(["Bo", "Zoë", 'B"o\\']),
    ),
    st.sampled_from([b"", b"\n", b"not JSON\n", b"[]\n", b"{}\n", b'{"commit": "' + b"a" * 40]),
    st.builds(
        lambda commit: (
            json.dumps({"verdict": "stable", **json.loads(render_record(FULL))})
            .replace(A, commit)
            .encode()
            + b"\n"
        ),
        st.sampled_from([A.upper(), B]),
    ),
)


@given(st.lists(LINES, max_size=12).map(b"".join), st.sampled_from([(A, ONE), (B, TWO), (D, {})]))
def test_only_what_is_asked_about_needs_to_be_read(
    content: bytes, wanted: tuple[str, dict[str, ImageValue]]
) -> None:
    """What counts of the words on a release is the same, whatever else was passed over."""
    some = read_ledger(content, texts_on([wanted]))
    whole = read_ledger(content)
    release = released(*wanted)
    assert all(entry in whole.entries for entry in some.entries)
    assert verdicts_on(some.entries, [release]) == verdicts_on(whole.entries, [release])


@given(
    st.lists(LINES, max_size=12).map(b"".join),
    st.lists(st.sampled_from([(A, ONE), (A, TWO), (B, TWO), (C, None), (D, {})]), max_size=3),
)
@example(render_record(Record(B, "stable", NOON, "Bo", None, ONE)), [(A, ONE)])
@example(render_record(Record(A, "stable", NOON, "Bo", None, TWO)), [(A, ONE)])
def test_other_sets_change_no_verdict(
    content: bytes, wanted: list[tuple[str, dict[str, ImageValue] | None]]
) -> None:
    """What is said of the releases that are asked about is what the whole ledger says of them."""
    entries = read_ledger(content).entries
    releases = [released(*one) for one in wanted]
    sets = {one.images: one.standing for one in judged_sets(entries, releases)}
    alone = judged(entries)
    found = verdicts_on(entries, releases)

    for release in releases:
        images = frozenset((release.images or {}).items())
        standing = alone.get(release.commit) if release.images in (None, {}) else sets.get(images)
        health, quality = (standing.health, standing.quality) if standing else (None, None)
        if [one.commit for one in releases].count(release.commit) == 1:
            assert found.health.get(release.commit) == (health.verdict if health else None)
            assert found.quality.get(release.commit) == (quality.verdict if quality else None)


def test_most_lines_are_passed_over() -> None:
    """Of a thousand releases one is asked about: only its lines are read, with numbers."""
    lines = [
        render_record(said(f"{number:040x}", "stable", images={"a": ImageValue(tag=f"v{number}.")}))
        for number in range(1000)
    ]
    texts = texts_on([(f"{500:040x}", {"a": ImageValue(tag="v501.")})])
    found = read_ledger(b"".join(lines), texts).entries
    assert [entry.line for entry in found] == [501, 502]


def test_approvals() -> None:
    """Those of exactly this head, one for each person, and a verdict is none."""
    records = (
        said(B, "approved", 0, by="Ana"),
        said(A, "approved", 1, by="Bo"),
        said(A, "approved", 2, by="Ana"),
        said(A, "approved", 3, by="Bo"),
        said(A, "qa-passed", 4, by="Cy"),
    )

    found = approvals(entries(*records), A)

    assert [(entry.who, entry.line) for entry in found] == [("Bo", 2), ("Ana", 3)]


def test_one_key_is_one_person() -> None:
    """Where lines are signed, two names with one key are one approval."""
    signed = [
        replace(entry, signer="bo@example.com")
        for entry in entries(said(A, "approved", by="Bo"), said(A, "approved", by="Ana"))
    ]

    assert [entry.who for entry in approvals(signed, A)] == ["bo@example.com"]


# --- signatures -------------------------------------------------------------------------------

L1, L2, L3, EVIL = (
    render_record(record)
    for record in (
        said(A, "qa-failed", 1),
        said(B, "stable", 2),
        said(C, "qa-passed", 3),
        said(A, "qa-passed", 4, by="Eve"),
    )
)
LISTED = "bo@example.com"


def history(*steps: tuple[bytes | None, str | None]) -> list[LedgerCommit]:
    """Commits, oldest first, each from (the file after it, who signed it)."""
    before: bytes | None = None
    commits = []
    for number, (after, signer) in enumerate(steps):
        commits.append(LedgerCommit(f"{number:040x}", before, after, signer))
        before = after
    return commits


@pytest.mark.parametrize(
    ("steps", "counting", "troubles"),
    [
        ([], [], []),
        ([(L1, LISTED), (L1 + L2, LISTED)], [(1, L1), (2, L2)], []),
        ([(L1 + L2, LISTED)], [(1, L1), (2, L2)], []),
        # unsigned, or signed with a key that is not listed
        ([(L1, LISTED), (L1 + EVIL, None)], [(1, L1)], [(2, 1, "Eve does not count")]),
        (
            [(L1, LISTED), (L1 + EVIL, None), (L1 + EVIL + L2, LISTED)],
            [(1, L1), (3, L2)],
            [(2, 1, "qa-passed on aaaaaaa by Eve does not count: its commit is not signed")],
        ),
        # an earlier line altered, removed, moved; the file deleted: the old lines stand
        ([(L1, LISTED), (EVIL, None)], [(1, L1)], [(None, 1, "alters or removes")]),
        ([(L1, LISTED), (EVIL, LISTED)], [(1, L1)], [(None, 1, "alters or removes")]),
        (
            [(L1 + L2, LISTED), (L2 + L3, LISTED), (L2 + L3 + EVIL, LISTED)],
            [(1, L1), (2, L2), (3, EVIL)],
            [(None, 1, "alters or removes")],
        ),
        ([(L1 + L2, LISTED), (L1, LISTED)], [(1, L1), (2, L2)], [(None, 1, "alters")]),
        ([(L1, LISTED), (L2 + L1, LISTED)], [(1, L1)], [(None, 1, "alters")]),
        ([(L1, LISTED), (None, LISTED), (L2, LISTED)], [(1, L1), (1, L2)], [(None, 1, "alters")]),
        # putting a removed line back is an altering commit, too, unless it is signed as a new line
        (
            [(L1 + L2, LISTED), (L2, None), (L1 + L2, None)],
            [(1, L1), (2, L2)],
            [(None, 1, "alters"), (None, 2, "alters")],
        ),
        # a line that was left without its end cannot be gone on with
        ([(L1[:-1], LISTED), (L1 + L2, LISTED)], [(1, L1), (2, L2)], []),
        ([(L1[:-3], LISTED), (L1, LISTED)], [], [(1, 0, "not JSON"), (None, 1, "alters")]),
        # damage in a signed commit is told with its place
        ([(L1, LISTED), (L1 + b"{\n" + L2, LISTED)], [(1, L1), (3, L2)], [(2, 1, "not JSON")]),
        # damage in an unsigned one says nothing, and so has nothing to be told of
        ([(L1, LISTED), (L1 + b"{\n", None)], [(1, L1)], []),
        ([(L1, LISTED), (L1, None)], [(1, L1)], []),
    ],
)
def test_which_lines_count(
    steps: list[tuple[bytes | None, str | None]],
    counting: list[tuple[int, bytes]],
    troubles: list[tuple[int | None, int, str]],
) -> None:
    """Only lines that a signed, appending commit added; everything else is told."""
    found = judge_signatures(history(*steps))

    assert counting == [(entry.line, render_record(entry.record)) for entry in found.entries]
    assert all(entry.signer == LISTED for entry in found.entries)
    assert [(line, f"{number:040x}") for line, number, _ in troubles] == [
        (problem.line, problem.commit) for problem in found.problems
    ]
    for (_, _, words), problem in zip(troubles, found.problems, strict=True):
        assert words in problem.text


def test_the_trouble_with_a_signature_is_told() -> None:
    """Whoever checks signatures says what is wrong, and the report repeats it."""
    commit = LedgerCommit(B, None, EVIL, None, "is signed with a key that is not listed")

    expected = (
        f"line 1, commit {B[:7]}: qa-passed on {A[:7]} by Eve does not count: "
        "its commit is signed with a key that is not listed"
    )

    assert [expected] == [str(problem) for problem in judge_signatures([commit]).problems]
    assert str(LedgerProblem("alone")) == "alone"


@given(st.lists(st.tuples(st.sampled_from([b"", L1, L1 + L2, EVIL, b"x"]), st.booleans())))
def test_no_unsigned_line_ever_counts(steps: list[tuple[bytes, bool]]) -> None:
    """Whatever unsigned commits do, exactly the lines that signed ones appended count, once."""
    commits = history(*((text, LISTED if signed else None) for text, signed in steps))

    expected = [
        entry.record
        for commit in commits
        if commit.signer and (commit.after or b"").startswith(commit.before or b"")
        for entry in read_ledger((commit.after or b"")[len(commit.before or b"") :]).entries
        if not commit.before or commit.before.endswith(b"\n")
    ]

    once = [one for place, one in enumerate(expected) if one not in expected[:place]]
    assert once == [entry.record for entry in judge_signatures(commits).entries]


HERE = RecordSubject("git.example.com/shop/m", "stage")
NAMED = ExpectedSubject(frozenset({HERE.repository, "m"}), frozenset({"stage"}), None)


def about(record: Record, place: RecordSubject | None) -> bytes:
    """The line of a record that names a place."""
    return render_record(replace(record, about=place))


@pytest.mark.parametrize(
    ("place", "counts"),
    [
        (HERE, True),
        (replace(HERE, repository="m"), True),
        (replace(HERE, repository="git.example.com/other/m"), False),
        (replace(HERE, environment="prod"), False),
        (replace(HERE, app="shop"), False),
    ],
)
@pytest.mark.parametrize("verdict", ["qa-passed", "qa-failed", "approved"])
def test_a_signed_line_is_about_what_it_names(
    place: RecordSubject, counts: bool, verdict: Verdict
) -> None:
    """A line of another repository, environment or app is a word on nothing here, and is told."""
    line = about(said(A, verdict), place)

    found = judge_signatures([LedgerCommit(B, None, line, LISTED)], NAMED)

    assert counts == bool(found.entries)
    assert counts != any(f"it is about {place}" in str(one) for one in found.problems)


def test_purpose_stands_in_the_line() -> None:
    """An approval is no verdict and a verdict no approval: what is signed says which it is."""
    line = about(said(A, "qa-passed"), HERE)

    assert json.loads(line)["purpose"] == "verdict"
    assert json.loads(about(said(A, "approved"), HERE))["purpose"] == "approval"
    for other in (b'"approval"', b'"deploy"', b"null", b"7"):
        turned = line.replace(b'"purpose": "verdict"', b'"purpose": ' + other)
        assert [] == list(read_ledger(turned).entries)


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [("qa-failed", 1), ("degraded", 1), ("qa-passed", 0), ("stable", 0), ("approved", 0)],
)
def test_an_older_line_counts_where_it_says_no(verdict: Verdict, counts: int) -> None:
    """A signed line without names may be anybody's: what says no counts, the rest is told once."""
    lines = b"".join(render_record(said(commit, verdict)) for commit in (A, B))

    found = judge_signatures([LedgerCommit(B, None, lines, LISTED)], NAMED)

    assert counts * 2 == len(found.entries)
    told = not counts and verdict != "approved"
    assert told == len(found.problems)
    if told:
        assert f"{verdict} on {B[:7]} by Bo" in str(found.problems[0])
        how = f"qa ENV --pass --release {B[:12]}" if verdict == "qa-passed" else "wait ENV"
        assert f"Said again, it counts: `gitops {how}`" in str(found.problems[0])


def test_what_was_said_again_is_told_no_more() -> None:
    """An older word is old news once the same release has a word that counts."""
    old = render_record(said(A, "qa-passed"))
    new = about(said(A, "qa-passed", 5), HERE)

    found = judge_signatures(history((old, LISTED), (old + new, LISTED)), NAMED)

    assert ([1], ()) == ([len(found.entries)], found.problems)


def test_a_line_counts_once() -> None:
    """The same bytes by the same signer are one word, wherever they turn up again."""
    yes, no = about(said(A, "qa-passed"), HERE), about(said(A, "qa-failed", 1), HERE)
    commits = history((yes, LISTED), (yes + no, LISTED), (yes + no + yes, LISTED))

    found = judge_signatures(commits, NAMED).entries

    assert ["qa-passed", "qa-failed"] == [entry.record.verdict for entry in found]


def branch(**parents: str) -> list[BranchCommit]:
    """Commits given oldest first, as a branch tells them; `x_y` writes gitops.yaml."""
    found = [
        BranchCommit(name, tuple(of.split()), ("gitops.yaml",) if "_" in name else ("f",))
        for name, of in parents.items()
    ]
    return found[::-1]


@pytest.mark.parametrize(
    ("commits", "order", "doubted", "merges"),
    [
        (branch(a="", b="a", c="b"), "abc", "", ""),
        # the side comes just before the merge, whichever parent is the first one
        (branch(a="", b="a", c="a", m="b c", d="m"), "abcmd", "c", "m"),
        (branch(a="", b="a", c="a", m="c b", d="m"), "acbmd", "b", "m"),
        (branch(a="", b="a", m="a b"), "abm", "b", "m"),
        # a side that is a history of its own, and one with a merge in it
        (branch(a="", x="", m="a x"), "axm", "x", "m"),
        (branch(a="", b="a", c="a", n="b c", d="a", m="d n"), "adbcnm", "bcn", "m"),
        # whoever ends in a branch of manifests cannot go on from there
        (branch(a="", b_y="a", c="b_y"), ("a", "b_y", "c"), ("b_y", "c"), ""),
    ],
)
def test_a_ledger_is_a_line(
    commits: list[BranchCommit], order: str, doubted: str, merges: str
) -> None:
    """Only commits on the line of first parents are sure of their place."""
    line = line_of(commits, commits[0].commit)

    assert list(order) == sorted(line.places, key=lambda one: line.places[one])
    assert set(doubted) == {one.commit for one in commits if line.doubt(one.commit)}
    assert tuple(merges) == line.merges
    assert len(merges) == len(history_problems(line))


def test_what_a_merge_brings_in_counts_where_it_says_no() -> None:
    """Of words whose order nobody can tell the stricter counts, and a merge itself adds none."""
    yes, no = about(said(A, "qa-passed"), HERE), about(said(A, "qa-failed", 1), HERE)
    doubt = "nobody can tell"
    side = [LedgerCommit(C, None, word, LISTED, doubt=doubt) for word in (yes, no)]

    found = judge_signatures([*side, LedgerCommit(B, None, yes, LISTED, merges=True)], NAMED)

    assert ["qa-failed"] == [entry.record.verdict for entry in found.entries]
    assert ["nobody can tell"] == [one.text[-len(doubt) :] for one in found.problems]


WORD = "stage: qa-passed\n\nGitops-Action: qa\nGitops-Environment: stage\nGitops-Id: 1\n"


@pytest.mark.parametrize(
    ("message", "paths", "why"),
    [
        (WORD, ["stage.jsonl"], None),
        (WORD.replace(": qa\n", ": approve\n"), ["stage.jsonl"], None),
        (WORD.replace(": qa\n", ": wait\n"), ["stage.jsonl"], None),
        (WORD, ["stage.jsonl", "README.md"], "something else"),
        (WORD, [], "something else"),
        (WORD.replace(": qa\n", ": deploy\n"), ["stage.jsonl"], "not made to say"),
        ("docs: typo\n", ["stage.jsonl"], "not made to say"),
        (WORD.replace("Environment: stage", "Environment: prod"), ["stage.jsonl"], "another"),
        (WORD + "Gitops-Environment: prod\n", ["stage.jsonl"], "not made to say"),
    ],
)
def test_a_signed_commit_that_was_no_word(message: str, paths: list[str], why: str | None) -> None:
    """A key signs many things; only a commit that says one word on this overlay is one."""
    found = why_no_word(message, paths, "stage.jsonl", ["stage"])

    assert (found is None) == (why is None)
    assert (why or "") in (found or "")


# --- what counts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "health", "quality", "since"),
    [
        ([said(A, "stable")], "stable", None, 0),
        ([said(A, "degraded", machine=True)], "degraded", None, None),
        ([said(A, "qa-passed")], None, "qa-passed", None),
        # newest counts, and that is the last line, whatever the times say
        ([said(A, "qa-passed", 9), said(A, "qa-failed", 1)], None, "qa-failed", None),
        ([said(A, "qa-failed"), said(A, "qa-passed", 1)], None, "qa-passed", None),
        ([said(A, "degraded"), said(A, "stable", 1)], "stable", None, 1),
        # health and QA do not disturb each other
        ([said(A, "stable"), said(A, "qa-failed", 1)], "stable", "qa-failed", 0),
        # once stable, a machine says degraded in vain; a person does not
        ([said(A, "stable"), said(A, "degraded", 1, machine=True)], "stable", None, 0),
        ([said(A, "stable"), said(A, "degraded", 1)], "degraded", None, None),
        (
            [said(A, "stable"), said(A, "degraded", 1), said(A, "degraded", 2, machine=True)],
            "degraded",
            None,
            None,
        ),
        # stable since the first time in a row
        ([said(A, "stable"), said(A, "stable", 5)], "stable", None, 0),
        (
            [said(A, "stable"), said(A, "degraded", 1), said(A, "stable", 2)],
            "stable",
            None,
            2,
        ),
        ([said(A, "stable"), said(A, "qa-passed", 5)], "stable", "qa-passed", 0),
    ],
)
def test_the_newest_word(
    records: list[Record], health: str | None, quality: str | None, since: int | None
) -> None:
    """The newest health verdict and the newest QA verdict of a release count."""
    standing = judged(entries(*records))[A]

    assert health == (standing.health.verdict if standing.health else None)
    assert quality == (standing.quality.verdict if standing.quality else None)
    expected = NOON + timedelta(minutes=since) if since is not None else None
    assert expected == standing.stable_since


def test_each_release_has_its_own_words() -> None:
    """Words on one commit say nothing of another, and an approval is no verdict."""
    found = judged(
        entries(said(A, "qa-passed"), said(B, "qa-failed"), said(C, "approved"), said(A, "stable"))
    )

    assert sorted(found) == [A, B]
    assert found[B].health is None
    word = found[A].quality
    assert word is not None
    assert (word.by, word.time, word.reason) == ("Bo", NOON, None)


def test_a_signer_is_shown_in_place_of_a_name() -> None:
    """Who says so is the key's owner, where that is known."""
    signed = [replace(entry, signer=LISTED) for entry in entries(said(A, "stable", by="Eve"))]

    word = judged(signed)[A].health

    assert word is not None
    assert word.by == LISTED


def test_a_word_is_given_to_a_set_of_images() -> None:
    """Releases that pin the same set share their words; the newest of them counts."""
    found = judged_sets(
        entries(
            said(A, "qa-passed", images=ONE),
            said(B, "qa-passed", images=TWO),
            said(C, "qa-failed", images=ONE),
            said(C, "stable", images={}),
        )
    )

    words = {entry.images: entry.standing for entry in found}

    assert set(words) == {frozenset(ONE.items()), frozenset(TWO.items())}
    quality = words[frozenset(ONE.items())].quality
    assert quality is not None
    assert quality.verdict == "qa-failed"
    assert words[frozenset(ONE.items())].health is None


def test_git_goes_before_what_a_line_claims() -> None:
    """The images of a known release are what Git says; the line's are taken for others only."""
    lines = entries(
        said(A, "qa-passed", images=TWO), said(B, "stable", images=TWO), said(C, "stable")
    )

    found = judged_sets(lines, [released(A, ONE), released(C, None)])

    assert [
        (entry.images, entry.standing.health is not None, entry.standing.quality is not None)
        for entry in found
    ] == [
        (frozenset(ONE.items()), True, True),
        (frozenset(TWO.items()), True, False),
    ]


def test_verdicts_for_the_rules() -> None:
    """Every release that pins a judged set gets its verdicts, and no other does."""
    releases = [
        released(D, ONE),
        released(C, None),
        released(B, TWO),
        released(A, ONE),
        released("e" * 40, {}),
    ]
    lines = entries(
        said(A, "stable"),
        said(A, "qa-passed"),
        said(B, "degraded", images=TWO),
        said(C, "qa-failed", images={}),
        said(D, "qa-failed"),
    )

    expected = Verdicts(
        {D: "stable", B: "degraded", A: "stable"},
        {D: "qa-failed", C: "qa-failed", A: "qa-failed"},
    )

    assert expected == verdicts_on(lines, releases)
    assert Verdicts() == verdicts_on((), releases)


def test_a_machine_may_judge_the_same_images_in_a_new_release() -> None:
    """Only the release that was stable keeps its word; a later one with the same images is new."""
    lines = entries(said(A, "stable"), said(B, "degraded", 1, machine=True))

    found = judged_sets(lines)

    assert [entry.standing.health.verdict for entry in found if entry.standing.health] == [
        "degraded"
    ]
    assert LatestVerdicts().about("health") is None


@pytest.mark.parametrize(
    ("records", "verdict", "news"),
    [
        ([], "stable", True),
        ([said(B, "stable")], "stable", True),
        ([said(A, "qa-failed")], "stable", True),
        ([said(A, "stable", machine=True)], "stable", False),
        ([said(A, "degraded", machine=True)], "degraded", False),
        ([said(A, "degraded", machine=True)], "stable", True),
        # once stable, no machine says degraded
        ([said(A, "stable", machine=True)], "degraded", False),
        (
            [said(A, "degraded", machine=True), said(A, "stable", 1, machine=True)],
            "degraded",
            False,
        ),
        # a person's word stands
        ([said(A, "degraded")], "stable", False),
        ([said(A, "stable")], "degraded", False),
        ([said(A, "degraded"), said(A, "stable", 1, machine=True)], "degraded", False),
    ],
)
def test_what_a_machine_writes(records: list[Record], verdict: Health, news: bool) -> None:
    """A machine writes what is new, nothing against a person, and no degraded after stable."""
    assert news == is_news(entries(*records), A, verdict)
