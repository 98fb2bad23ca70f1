"""The ledger: what was seen of each release, one JSON line for each word, never changed.

One file for each overlay on the branch `gitops/ledger`, and where that has become large further
ones (`stage.jsonl`, `stage.2.jsonl`, …). Their order is what "newest" means: the times in them are
claims of whoever wrote them. A line is

    {"commit": …, "verdict": "qa-passed", "time": …, "by": …, "reason": …, "images": [{"image",
     "name", "tag", "digest"}], "purpose": "verdict", "repository": …, "environment": …, "app": …,
     "id": …, "machine": true, "seen": {…}}

`reason`, `id`, `machine` and `seen` stand only where there is something to say. An approval is a
line, too: verdict `approved`, purpose `approval`, and `commit` is the head of the proposal that was
approved. Purpose, repository, environment and app say what the line is about, so that a signed one
is a word on nothing else; lines of gitops before 0.2 do not have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, cast, get_args

import msgspec
from msgspec import Struct

from gitops.core.kustomization.image import ImageValue
from gitops.core.text.plain import one_line, read_moment, timestamp
from gitops.core.unstructured import text

Verdict = Literal["stable", "degraded", "qa-passed", "qa-failed", "approved"]

NEGATIVE: Final = frozenset[Verdict]({"degraded", "qa-failed"})
"""The words that say no: where it cannot be told which of two is newer, they count."""

_VERDICTS: Final = frozenset(get_args(Verdict))
_LONGEST_LINE = 1 << 20
_MOST_NEEDLES = 12  # texts to look for, beyond which every line is read
_MOST_LOOKED = 100
_DIGITS = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_COMMIT = re.compile(rb"(?<=\"commit\": \")[0-9a-fA-F]{40}")
_PLAIN_LINE = re.compile(rb"\{\"commit\": \"[0-9a-f]{40}|\n|\Z")
_ODD_LINE = re.compile(rb"\n(?!%b)" % _PLAIN_LINE.pattern)
"""Before a line that does not begin as those of gitops do."""


class RecordSubject(Struct, frozen=True, gc=False):
    """What a line says that it is about: one overlay of one repository.

    Attributes:
        repository: `host/path`, or the name that `gitops.yaml` gives it.
        app: None where there are no apps.
    """

    repository: str
    environment: str
    app: str | None = None

    def __str__(self) -> str:
        label = self.environment if self.app is None else f"{self.app}/{self.environment}"
        return f"{one_line(label, 80)} of {one_line(self.repository, 120)}"


class Record(Struct, frozen=True, gc=False):
    """One word on one release.

    Attributes:
        commit: the release (all hex digits), or the head of the approved proposal.
        by: who says so; without signers a claim.
        images: the whole set of images that the word is given to.
        machine: said by `wait` or a watcher and not by a person.
        intent: `Gitops-Id` of the call that wrote it.
        seen: what a machine saw, as JSON: times, revisions, live images. For people who look
            later; nothing is decided by it.
        about: what the line names; None for one of an older gitops, or one written by hand.
    """

    commit: str
    verdict: Verdict
    time: datetime
    by: str
    reason: str | None = None
    images: Mapping[str, ImageValue] = {}
    machine: bool = False
    intent: str | None = None
    seen: Mapping[str, object] | None = None
    about: RecordSubject | None = None


class LedgerEntry(Struct, frozen=True, gc=False):
    """A record that counts.

    Attributes:
        line: 1-based line of the file; of the lines that count, when signatures were judged.
        signer: principal of the key that signed it; None when nobody looked.
    """

    line: int
    record: Record
    signer: str | None = None

    @property
    def who(self) -> str:
        """The signer where there is one: it is proven, `by` is a claim."""
        return self.signer if self.signer is not None else self.record.by


class LedgerProblem(Struct, frozen=True):
    """Something in the ledger that does not count.

    Attributes:
        line: 1-based line, None when it is about a whole commit.
        commit: of the ledger branch, None when history was not looked at.
    """

    text: str
    line: int | None = None
    commit: str | None = None

    def __str__(self) -> str:
        place = [f"line {self.line}"] if self.line is not None else []
        place += [f"commit {self.commit[:7]}"] if self.commit is not None else []
        return f"{', '.join(place)}: {self.text}" if place else self.text


class Ledger(Struct, frozen=True):
    """The records that count, oldest first, and what does not count and why."""

    entries: tuple[LedgerEntry, ...] = ()
    problems: tuple[LedgerProblem, ...] = ()


def purpose_of(verdict: Verdict) -> str:
    """Return what a line with `verdict` is for: `approval` or `verdict`."""
    return "approval" if verdict == "approved" else "verdict"


def render_record(record: Record) -> bytes:
    """Return the line of `record`, its newline included. ASCII, one line, the same each time."""
    import json

    line: dict[str, object] = {
        "commit": record.commit,
        "verdict": record.verdict,
        "time": timestamp(record.time),
        "by": one_line(record.by),
    }
    if record.reason is not None and one_line(record.reason):
        line["reason"] = one_line(record.reason)
    line["images"] = [
        {"image": image, "name": value.name, "tag": value.tag, "digest": value.digest}
        for image, value in record.images.items()
    ]
    if record.about is not None:
        line["purpose"] = purpose_of(record.verdict)
        line["repository"] = record.about.repository
        line["environment"] = record.about.environment
        line["app"] = record.about.app
    if record.intent is not None:
        line["id"] = record.intent
    if record.machine:
        line["machine"] = True
    if record.seen:
        line["seen"] = record.seen
    return json.dumps(line).encode() + b"\n"


def append(content: bytes | None, record: Record) -> bytes:
    """Return the file with `record` as its last line; None is a file that does not exist yet.

    What stands there stays byte for byte. When the same intent has already said the same of the
    same release, nothing is added.
    """
    before = content or b""
    said = record.intent, record.commit, record.verdict
    if record.intent is not None and record.intent.encode() in before:
        known = (one.record for one in read_ledger(before).entries)
        if any((one.intent, one.commit, one.verdict) == said for one in known):
            return before
    gap = b"\n" if before and not before.endswith(b"\n") else b""
    return before + gap + render_record(record)


def read_ledger(
    content: bytes | None, needles: Sequence[bytes] | None = None, *, last: int | None = None
) -> Ledger:
    """Read a file as it stands. A line that cannot be read is a problem and is passed over.

    With `needles` only lines that have one of these texts are sure to be among the entries, and
    all others on the commits that those are about; see `texts_on`. `last`: of so many bytes only.
    """
    entries: list[LedgerEntry] = []
    problems: list[LedgerProblem] = []
    whole, before = content or b"", 0
    if last is not None and len(whole) > last:
        start = whole.rfind(b"\n", 0, -last) + 1
        whole, before = whole[start:], whole.count(b"\n", 0, start)
    for number, line in _lines(whole) if needles is None else _lines_with(whole, needles):
        if not line.strip():
            continue
        try:
            entries.append(LedgerEntry(before + number, _parse(line)))
        except ValueError as error:
            problems.append(LedgerProblem(f"is no record: {error}", line=before + number))
    return Ledger(tuple(entries), tuple(problems))


def texts_on(sets: Iterable[tuple[str, Mapping[str, ImageValue]]]) -> tuple[bytes, ...] | None:
    """Return texts of which every line on one of these releases has one; None: that is not known.

    Args:
        sets: commit and images of each release.
    """
    found: dict[bytes, None] = {}
    for commit, images in sets:
        found[commit.encode()] = None
        if images:
            name, value = next(iter(images.items()))
            text = value.digest or value.tag or value.name or name
            if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
                return None  # JSON has other ways to write it
            found[f'{text}"'.encode()] = None
    return tuple(found) if len(found) <= _MOST_NEEDLES else None


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and text of each line."""
    at, number = 0, 1
    while (end := content.find(b"\n", at)) >= 0:
        yield number, content[at:end]
        at, number = end + 1, number + 1
    yield number, content[at:]


def _lines_with(content: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that have one of `needles`, or that may say the same in another form.

    And those on the commits that these are about: whether one word counts may depend on another.
    """
    odd = [match.end() for match in _ODD_LINE.finditer(content)]
    if not _PLAIN_LINE.match(content):
        odd.append(0)
    starts: set[int] = set()
    looked: set[bytes] = set()
    waiting = [b"\\", *needles]  # what is escaped may be anything

    def take(start: int) -> int:
        end = content.find(b"\n", start)
        end = end if end >= 0 else len(content)
        if start not in starts:
            starts.add(start)
            waiting.extend(match[0].lower() for match in _COMMIT.finditer(content[start:end]))
        return end

    for start in odd:
        take(start)
    while waiting and len(looked) < _MOST_LOOKED:
        needle = waiting.pop()
        at = content.find(needle) if needle not in looked else -1
        looked.add(needle)
        while at >= 0:
            at = content.find(needle, take(content.rfind(b"\n", 0, at) + 1))
    if waiting:
        yield from _lines(content)
        return
    number, before = 1, 0
    for start in sorted(starts):
        number += content.count(b"\n", before, start)
        before = start
        end = content.find(b"\n", start)
        yield number, content[start : end if end >= 0 else len(content)]


class _Image(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    image: str
    name: str | None = None
    tag: str | None = None
    digest: str | None = None


class _Line(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    commit: str
    verdict: Verdict
    time: str
    by: str
    reason: str | None = None
    images: tuple[_Image, ...] = ()
    purpose: str | None = None
    repository: str | None = None
    environment: str | None = None
    app: str | None = None
    id: str | None = None
    machine: bool = False
    seen: dict[str, object] | None = None


_decode = msgspec.json.Decoder(_Line).decode


def _parse(line: bytes) -> Record:
    """Return what a line says. Raises ValueError."""
    if len(line) > _LONGEST_LINE:
        raise ValueError("too long")
    try:
        told = _decode(line)
    except (msgspec.DecodeError, RecursionError):
        told = _parse_odd(line)
    commit, time, by = told.commit.lower(), read_moment(told.time), one_line(told.by)
    if not _DIGITS.fullmatch(commit):
        raise ValueError("commit has not all its digits")
    if told.verdict not in _VERDICTS:
        raise ValueError(f"verdict {one_line(told.verdict, 40)!r} is unknown")
    if time is None:
        raise ValueError("time is no time")
    if not by:
        raise ValueError("by is empty")
    about, reason = None, one_line(told.reason) if told.reason is not None else None
    if told.repository is not None and told.environment is not None:
        if told.purpose != purpose_of(told.verdict):
            raise ValueError(f"purpose is not {purpose_of(told.verdict)}")
        about = RecordSubject(told.repository, told.environment, told.app)
    images = {one.image: ImageValue(one.name, one.tag, one.digest) for one in told.images}
    return Record(
        *(commit, told.verdict, time, by, reason, images),
        *(told.machine, told.id, told.seen, about),
    )


def _parse_odd(line: bytes) -> _Line:
    """Return what a line has that is not as gitops writes it. Raises ValueError."""
    told: object
    try:
        told = msgspec.json.decode(line)
    except msgspec.DecodeError:  # it is stricter: what it does not take may be JSON all the same
        import json

        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
    except RecursionError:
        raise ValueError("not JSON") from None
    if not isinstance(told, dict):
        raise ValueError("not an object")
    names = "repository", "environment", "app"
    about = told.get("repository") is not None and told.get("environment") is not None
    return _Line(
        commit=_text(told, "commit"),
        verdict=cast(Verdict, _text(told, "verdict")),
        time=text(told, "time"),
        by=_text(told, "by"),
        reason=_text_or_none(told, "reason"),
        images=_images(told.get("images")),
        id=_text_or_none(told, "id"),
        machine=told.get("machine") is True,
        seen=told["seen"] if isinstance(told.get("seen"), dict) else None,
        purpose=text(told, "purpose"),
        **({name: _text_or_none(told, name) for name in names} if about else {}),
    )


def _text(told: Mapping[str, object], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is missing" if value is None else f"{key} is no text")
    return value


def _text_or_none(told: Mapping[str, object], key: str) -> str | None:
    return _text(told, key) if told.get(key) is not None else None


def _images(told: object) -> tuple[_Image, ...]:
    if told is None:
        return ()
    if not isinstance(told, Sequence) or isinstance(told, str):
        raise ValueError("images is no list")
    images, keys = list[_Image](), ("name", "tag", "digest")
    for entry in told:
        if not isinstance(entry, dict):
            raise ValueError("images holds something that is no image")
        fields = [_text_or_none(entry, key) for key in keys]
        images.append(_Image(_text(entry, "image"), *fields))
    return tuple(images)


def approvals(entries: Iterable[LedgerEntry], head: str) -> tuple[LedgerEntry, ...]:
    """Return the approvals of exactly the proposal's `head`, one for each person, oldest first."""
    found: dict[str, LedgerEntry] = {}
    for entry in entries:
        if entry.record.verdict == "approved" and entry.record.commit == head:
            found.setdefault(entry.who, entry)
    return tuple(found.values())
