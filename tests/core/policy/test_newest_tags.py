"""Which tag an environment takes by itself: only ever forwards, and no image twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops.core.environments.environment import Environment
from gitops.core.environments.tag_rules import FittingTag, TagRow, TagRule, fit
from gitops.core.git.commit import Identity
from gitops.core.kustomization.image import ImageValue
from gitops.core.policy.newest_tags import (
    Compared,
    RunningTag,
    SeenTag,
    choose_tag,
    compare,
    follows,
    leading,
    taken_by,
)
from gitops.core.releases.lookup import released_before
from gitops.core.releases.release import Release

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
CREATED = TagRule((TagRow("main-*", "main"), TagRow("release-{version}-*", "release/{version}")))
VERSION = TagRule(
    (
        TagRow("main-{number}", "main"),
        TagRow("release-{version}-{number}", "release/{version}"),
    ),
    "version",
)
DEV = Environment("dev", "overlays/dev", accepts=("main",), deploy="auto")
STAGE = Environment("stage", "overlays/stage", accepts=("release/{version}",), deploy="auto")
IMAGE = "shop/api"


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def digest(word: object) -> str:
    return f"sha256:{abs(hash(str(word))):064x}"


def seen(rule: TagRule, tag: str, created: datetime | None, word: object = "") -> SeenTag:
    fits = fit(rule, tag)
    assert fits is not None
    return SeenTag(fits, digest(word or tag), created)


def fits(rule: TagRule, *tags: str) -> list[FittingTag]:
    return [one for tag in tags if (one := fit(rule, tag)) is not None]


def running(
    rule: TagRule,
    tag: str | None,
    created: datetime | None = None,
    *,
    since: datetime | None = None,
    pinned: str | None = None,
) -> RunningTag:
    """What an overlay pins; `pinned`: its digest is of this word."""
    value = ImageValue(None, tag, digest(pinned) if pinned else None)
    known = digest(pinned or tag) if created else None
    return RunningTag(value, fit(rule, tag) if tag else None, known, created, since)


def test_an_environment_takes_builds_of_its_branches() -> None:
    """By itself alone; of several release branches those of the newest, below the bound."""
    tags = fits(CREATED, "main-1", "release-1.4-a", "release-1.10-a", "release-9.0-a")
    bound = Environment(
        "stage", "s", accepts=("release/{version}",), deploy="auto", follow_below="9"
    )
    any_ = Environment("stage", "s", accepts=("release/**",), deploy="auto", follow="any")

    assert ["main-1"] == [one.tag for one in taken_by(DEV, tags)]
    assert ["release-9.0-a"] == [one.tag for one in taken_by(STAGE, tags)]
    assert ["release-1.10-a"] == [one.tag for one in taken_by(bound, tags)]
    assert 3 == len(taken_by(any_, tags))
    assert () == taken_by(Environment("dev", "d", accepts=("main",)), tags)


@pytest.mark.parametrize(
    ("accepts", "wanted"),
    [
        (("main",), True),
        (("release/{version}",), True),
        (("release/2.*",), True),
        (("release/*",), True),
        (("**",), True),
        (("feature/**", "fix/**"), False),
        ((), False),
    ],
)
def test_who_follows_a_rule_at_all(accepts: tuple[str, ...], wanted: bool) -> None:
    """Whoever accepts one of its branches, or may accept one with some version, by itself."""
    row = Environment("e", "e", accepts=accepts, deploy="auto")
    assert wanted is follows(row, CREATED)
    assert not follows(Environment("e", "e", accepts=accepts), CREATED)


def test_the_newest_by_when_images_were_made() -> None:
    """What says nothing, or what cannot be, is passed over; two that are as new are nobody's."""
    now = at(10)
    old, new = seen(CREATED, "main-a", at(1)), seen(CREATED, "main-b", at(2))
    silent, late = seen(CREATED, "main-c", None), seen(CREATED, "main-d", at(11))
    twin = seen(CREATED, "main-e", at(2))
    same = seen(CREATED, "main-f", at(2), "main-b")

    assert new == choose_tag(CREATED, [new, old], now).tag
    found = choose_tag(CREATED, [late, new, silent, old], now)
    assert (new, True, True) == (found.tag, "main-d is said" in found.why, "main-c" in found.why)
    assert choose_tag(CREATED, [silent], now).tag is None
    assert "very same moment" in choose_tag(CREATED, [new, twin], now).why
    assert same == choose_tag(CREATED, [new, same], now).tag


def test_the_newest_by_numbers() -> None:
    """Numbers are numbers, the version before the build; a tie is told by time."""
    tags = fits(VERSION, "main-9", "main-10", "main-2")
    assert ["main-10"] == [one.tag for one in leading(VERSION, tags)]
    tags = fits(VERSION, "release-1.4-9", "release-1.10-1", "release-1.10-12")
    assert ["release-1.10-12"] == [one.tag for one in leading(VERSION, tags)]
    tied = TagRule((TagRow("v{version}-*", "main"),), "version")
    found = leading(tied, fits(tied, "v1.4-a", "v1.4.0-b", "v1.3-c"))
    assert ["v1.4-a", "v1.4.0-b"] == [one.tag for one in found]
    one, other = seen(tied, "v1.4-a", at(2)), seen(tied, "v1.4.0-b", at(1))
    assert one == choose_tag(tied, [one, other], at(3)).tag


@pytest.mark.parametrize(
    ("rule", "new", "old", "wanted", "why"),
    [
        (CREATED, ("main-b", at(2)), ("main-a", at(1)), "newer", ""),
        (CREATED, ("main-b", at(1)), ("main-a", at(2)), "older", "main-a runs, newer"),
        (CREATED, ("main-b", at(2)), ("main-b", at(2)), "current", ""),
        (CREATED, ("main-b", at(2)), ("main-a", at(2)), "unknown", "the very same moment"),
        (CREATED, ("main-b", at(2)), ("hotfix-1", at(3)), "older", "hotfix-1 runs"),
        (CREATED, ("main-b", at(2)), ("gone", None), "unknown", "nobody can tell"),
        (VERSION, ("main-10", None), ("main-9", None), "newer", ""),
        (VERSION, ("main-9", at(5)), ("main-10", at(1)), "older", "main-10 runs"),
        (VERSION, ("main-10", at(2)), ("by-hand", at(1)), "newer", ""),
        (VERSION, ("main-10", None), ("by-hand", at(1)), "unknown", "does not say when"),
    ],
)
def test_compared_with_what_runs(
    rule: TagRule,
    new: tuple[str, datetime | None],
    old: tuple[str, datetime | None],
    wanted: str,
    why: str,
) -> None:
    """Only what is known to be newer goes on, whatever somebody put there by hand."""
    found = compare(rule, DEV, seen(rule, *new), running(rule, *old))
    assert wanted == found.standing
    assert why in found.why


def test_when_it_came_tells_where_the_registry_does_not() -> None:
    """What was there before an image was made is older, also where its own image is gone."""
    new = seen(CREATED, "main-b", at(5))
    assert Compared("newer") == compare(CREATED, DEV, new, running(CREATED, "x", since=at(4)))
    later = compare(CREATED, DEV, new, running(CREATED, "x", since=at(6)))
    assert "unknown" == later.standing
    assert Compared("newer") == compare(CREATED, DEV, new, running(CREATED, None))


def test_a_tag_that_moved() -> None:
    """With a digest beside it the image counts: newer, or not; by the tag alone nothing changes."""
    new = seen(CREATED, "main-x", at(5), "new")
    by_tag = running(CREATED, "main-x", at(1))
    older = running(CREATED, "main-x", at(1), pinned="old")
    newer = running(CREATED, "main-x", at(6), pinned="other")
    alone = running(CREATED, None, at(5), pinned="new")

    assert "current" == compare(CREATED, DEV, new, by_tag).standing
    assert "newer" == compare(CREATED, DEV, new, older).standing
    assert "older" == compare(CREATED, DEV, new, newer).standing
    assert "current" == compare(CREATED, DEV, new, alone).standing


def test_no_older_release_branch() -> None:
    """A late build of 1.4 stays out where 1.5 runs, also once all tags of that are gone."""
    late, runs = seen(CREATED, "release-1.4-b", at(9)), running(CREATED, "release-1.5-a", at(1))
    found = compare(CREATED, STAGE, late, runs)
    assert "older" == found.standing
    assert "release/1.5" in found.why
    any_ = Environment("s", "s", accepts=("release/**",), deploy="auto", follow="any")
    assert "newer" == compare(CREATED, any_, late, runs).standing


def release(number: int, time: datetime, value: ImageValue, action: str = "deploy") -> Release:
    who = Identity("Ana", "ana@example.com")
    return Release(f"{number:040x}", time, who, "x", action, {IMAGE: value})


def test_no_image_comes_twice() -> None:
    """It is told what took it away: a rollback, or somebody who put something else there."""
    a, b = ImageValue(None, "main-a"), ImageValue(None, "main-b")
    rolled = [release(3, at(60), a, "rollback"), release(2, at(50), b), release(1, at(1), a)]
    by_hand = [release(3, at(60), a, "deploy"), *rolled[1:]]

    found = released_before(rolled, IMAGE, b, at(49))
    assert found == (rolled[1], rolled[0])
    assert (by_hand[1], None) == released_before(by_hand, IMAGE, b, at(49))
    assert released_before(rolled, IMAGE, ImageValue(None, "main-c"), at(70)) is None


def test_history_is_read_no_further_than_the_image_is_old() -> None:
    """Before it was made there was none of it: a day of margin for clocks, then it ends."""
    read: list[int] = []

    def history() -> object:
        for number in range(100, 0, -1):
            read.append(number)
            yield release(number, at(number), ImageValue(None, f"main-{number}"))

    assert released_before(history(), IMAGE, ImageValue(None, "new"), at(99)) is None  # type: ignore[arg-type]
    assert 30 > len(read)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 6), st.integers(0, 3)),
        st.tuples(st.just("look"), st.sampled_from((127, 127, 63, 85, 1)), st.booleans()),
        st.tuples(st.just("look"), st.just(127), st.just(1)),
        st.tuples(st.just("by hand"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("roll back"), st.just(0), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 6), st.just(0)),
    ),
    min_size=12,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, pin=st.sampled_from(("tag", "both")), order=st.booleans())
def test_it_never_goes_backwards(events: list[tuple[str, int, int]], pin: str, order: bool) -> None:
    """Whatever is pushed (old tags again, late builds), lost, hidden, deployed by hand and rolled
    back, in any order: what comes by itself is newer than what it replaces, and new there."""
    rule = VERSION if order else CREATED
    shelf: dict[str, tuple[str, datetime]] = {}  # the registry: tag -> digest, made
    truth: dict[str, datetime] = {}  # of each digest ever pushed
    pushed: list[tuple[str, str]] = []
    history: list[Release] = [release(0, at(0), ImageValue(None, "begin"))]
    ran: list[str] = []  # digests, as the cluster would have resolved them
    now = 1.0

    def put(value: ImageValue, real: str, action: str = "deploy") -> None:
        history.insert(0, release(len(history), at(now), value, action))
        ran.append(real)

    for kind, number, more in events:
        now += 1
        if kind == "push":
            made = at(now - 3 * more)  # a build that took long, or was made before
            tag, name = f"main-{number}", digest((number, now))
            shelf[tag], truth[name] = (name, made), made
            pushed.append((tag, name))
        elif kind == "lose":
            shelf.pop(f"main-{number}", None)
        elif kind == "by hand" and pushed:
            tag, name = pushed[number % len(pushed)]
            put(ImageValue(None, tag, name if pin == "both" else None), name)
        elif kind == "roll back" and len(history) > 2:
            value = history[1].images[IMAGE]  # type: ignore[index]
            put(value, ran[-2] if len(ran) > 1 else "", "rollback")
        elif kind == "look":
            shown = {tag: one for tag, one in shelf.items() if number >> int(tag[5:]) & 1}
            some = leading(rule, taken_by(DEV, fits(rule, *shown)))
            tags = [SeenTag(one, *shown[one.tag]) for one in some]
            new = choose_tag(rule, tags, at(now)).tag
            if new is None:
                continue
            value = history[0].images[IMAGE]  # type: ignore[index]
            known = value.digest if value.digest in truth and more else None
            if value.digest is None and value.tag in shown:
                known = shown[value.tag][0]
            created = truth.get(known) if known else None
            of_it = fit(rule, value.tag) if value.tag else None
            old = RunningTag(value, of_it, known, created, history[0].time)
            if compare(rule, DEV, new, old).standing != "newer":
                continue
            wanted = ImageValue(None, new.tag, new.digest)
            if released_before(history, IMAGE, wanted, new.created) is not None:
                continue
            before = value.digest
            if order and of_it is not None and of_it.numbers != new.fits.numbers:
                assert new.fits.numbers > of_it.numbers
            elif before is not None:
                assert truth[new.digest] > truth[before]
            if pin == "both":
                assert new.digest not in ran
            else:
                assert new.tag not in {one.images[IMAGE].tag for one in history}  # type: ignore[index]
            put(ImageValue(None, new.tag, new.digest if pin == "both" else None), new.digest)
