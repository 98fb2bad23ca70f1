"""Promotion: what is carried, and every reason why it may not go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gitops.core.environments.cron import parse_cron
from gitops.core.environments.environment import Environment, Overlay, Required
from gitops.core.environments.freeze import Freeze, FreezeHit, Recurrence, closed
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageChange, ImageRequest, ImageValue
from gitops.core.ledger.records import LedgerEntry, Record, Verdict
from gitops.core.ledger.verdicts import JudgedSet, judged_sets
from gitops.core.policy.promotion import (
    ImageOrigin,
    Judgement,
    Moment,
    Upstream,
    carry,
    judge_promotion,
)
from gitops.core.policy.reasons import Reason, outstanding
from gitops.errors import NotFound, Refused

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD, NEW = "a1b2c3d" + "0" * 33, "d4e5f6a" + "0" * 33
API, WEB = "shop/api", "shop/web"
V3, V4, V5 = (ImageValue(tag=tag) for tag in ("1.3", "1.4", "1.5"))
PROD = Overlay(
    Environment("prod", "overlays/prod", accepts=("release/{version}",), after=("stage",))
)
PASSED: tuple[Required, ...] = ("qa-passed",)
STABLE: tuple[Required, ...] = ("stable",)
NAMES = {API: V4, WEB: V4}

Said = tuple[Verdict, Mapping[str, ImageValue], int]


def ledger(*said: Said) -> tuple[JudgedSet, ...]:
    """A ledger: (verdict, images, hours before noon), oldest first; all by Bo."""
    return judged_sets(
        LedgerEntry(
            number,
            Record(f"{number:040x}", verdict, NOON - timedelta(hours=hours), "Bo", None, images),
        )
        for number, (verdict, images, hours) in enumerate(said, start=1)
    )


def stage(
    *said: Said,
    present: Mapping[str, ImageValue] = NAMES,
    released: tuple[str, ...] = (API, WEB),
    label: str = "stage",
) -> Upstream:
    """The environment before prod."""
    return Upstream(label, present, released, ledger(*said))


def origin(
    branch: str | None = "release/1.4",
    built: str | None = OLD,
    heads: Mapping[str, str] | None = None,
    image: str = API,
    *,
    known: bool = True,
) -> ImageOrigin:
    """Where an image came from; its branch ends there still unless `heads` says otherwise."""
    revision = f"{branch}@sha1:{built}" if branch and built else branch
    ends = {"main": NEW, "release/1.4": OLD} if heads is None else heads
    return ImageOrigin(image, revision, ends if known else None)


@dataclass(frozen=True)
class Case:
    """One row of the table: what there is, and the reasons that must be given (without `prod: `).

    `changes` is image -> new value; prod has 1.3 of all.
    """

    name: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: Mapping[str, ImageValue] = field(default_factory=lambda: {API: V4})
    befores: tuple[Upstream, ...] = (stage(),)
    origins: tuple[ImageOrigin, ...] = (origin(),)
    requires: tuple[Required, ...] = ()
    expected: str | None = None
    hold: Hold | None = None
    freeze: FreezeHit | None = None
    soak: timedelta | None = None
    overlay: Overlay = PROD


HOLD = Hold("ana", NOON, "INC-42")
FREEZE = FreezeHit("year end", "holidays", datetime(2027, 1, 3, 15, tzinfo=UTC))
DAY = timedelta(hours=24)
HELD = "held by ana: INC-42"
FROZEN = "frozen by year end: holidays; opens 2027-01-03T15:00:00Z"
NO_SOURCE = (
    f"whether release/1.4 moved since {API} 1.4 was built is not known: gitops.yaml names no "
    f"source for {API}"
)
AS_FAILED = "as qa-failed (Bo, 2026-11-24T11:00:00Z)"

CASES = [
    Case("nothing stands against it"),
    Case("nothing changes", changes={}, hold=HOLD, freeze=FREEZE, befores=(stage(released=()),)),
    # hold, freeze
    Case("held", (HELD,), hold=HOLD),
    Case("frozen", (FROZEN,), freeze=FREEZE),
    Case(
        "frozen for good",
        ("frozen by f: why; no opening in sight",),
        freeze=FreezeHit("f", "why", None),
    ),
    # after
    Case(
        "never was a release",
        (f"{API} 1.4 is not a release of stage",),
        befores=(stage(released=()),),
    ),
    Case(
        "one of two never was a release",
        (f"{WEB} 1.4 is not a release of stage",),
        changes=NAMES,
        befores=(stage(released=(API,)),),
    ),
    Case(
        "each environment of the list is asked",
        (f"{API} 1.4 is not a release of test", f"{API} 1.4 is not a release of eu"),
        befores=(
            stage(),
            stage(released=(), label="test"),
            stage(released=(), label="eu"),
        ),
    ),
    Case(
        "the environment before cannot be read",
        ("stage cannot be asked: no such overlay",),
        befores=(Upstream("stage", {}, (), (), "no such overlay"),),
        requires=PASSED,
        soak=DAY,
    ),
    Case(
        "what was no release needs no verdict",
        (f"{API} 1.4 is not a release of stage",),
        befores=(stage(released=()),),
        requires=(*PASSED, *STABLE),
        soak=DAY,
    ),
    Case("no environment before", befores=()),
    # verdicts
    Case("passed", befores=(stage(("qa-passed", NAMES, 1)),), requires=PASSED),
    Case("stable", befores=(stage(("stable", NAMES, 1)),), requires=STABLE),
    Case(
        "both are there",
        befores=(stage(("stable", NAMES, 2), ("qa-passed", NAMES, 1)),),
        requires=(*PASSED, *STABLE),
    ),
    Case("nobody asked QA", ("stage has no qa-passed for shop/api 1.4",), requires=PASSED),
    Case(
        "neither word is there",
        (
            "stage has no qa-passed for shop/api 1.4, shop/web 1.4",
            "stage has no stable for shop/api 1.4, shop/web 1.4",
        ),
        changes=NAMES,
        requires=(*STABLE, *PASSED),
    ),
    Case(
        "stable is not QA's word",
        ("stage has no qa-passed for shop/api 1.4",),
        befores=(stage(("stable", NAMES, 1)),),
        requires=PASSED,
    ),
    Case(
        "each environment must have the verdict",
        ("test has no qa-passed for shop/api 1.4",),
        befores=(stage(("qa-passed", NAMES, 1)), stage(label="test")),
        requires=PASSED,
    ),
    Case(
        "failed, though nothing is required",
        (f"stage has shop/api 1.4 {AS_FAILED}",),
        befores=(stage(("qa-failed", NAMES, 1)),),
    ),
    Case(
        "failed is one reason, not also a missing pass",
        (f"stage has shop/api 1.4, shop/web 1.4 {AS_FAILED}",),
        changes=NAMES,
        befores=(stage(("qa-passed", NAMES, 2), ("qa-failed", NAMES, 1)),),
        requires=PASSED,
    ),
    Case(
        "failed, then passed",
        befores=(stage(("qa-failed", NAMES, 2), ("qa-passed", NAMES, 1)),),
        requires=PASSED,
    ),
    Case(
        "degraded and failed",
        (
            f"stage has shop/api 1.4 {AS_FAILED}",
            "stage has shop/api 1.4 as degraded (Bo, 2026-11-24T10:00:00Z)",
        ),
        befores=(stage(("degraded", NAMES, 2), ("qa-failed", NAMES, 1)),),
    ),
    # a verdict is given to a set; one image is covered when its value is in such a set
    Case(
        "covered by the set, though another image moved on",
        befores=(stage(("qa-passed", NAMES, 1), present={API: V4, WEB: V5}),),
        requires=PASSED,
    ),
    Case(
        "an image that came during the test is not passed with it",
        ("stage has no qa-passed for shop/web 1.5",),
        changes={API: V4, WEB: V5},
        befores=(stage(("qa-passed", NAMES, 1), present={API: V4, WEB: V5}),),
        requires=PASSED,
    ),
    Case(
        "the set that runs counts, whatever was said of another with the same image later",
        changes=NAMES,
        befores=(stage(("qa-passed", NAMES, 2), ("qa-failed", {API: V4, WEB: V5}, 1)),),
        requires=PASSED,
    ),
    Case(
        "the set that runs counts for one of its images, too",
        befores=(stage(("qa-passed", NAMES, 2), ("qa-failed", {API: V4, WEB: V5}, 1)),),
        requires=PASSED,
    ),
    Case(
        "a set that holds them all counts more than newer ones that hold some",
        changes=NAMES,
        befores=(
            stage(
                ("qa-passed", {**NAMES, "etc": V3}, 2),
                ("qa-failed", {API: V4, WEB: V5}, 1),
                present={API: V5, WEB: V5},
            ),
        ),
        requires=PASSED,
    ),
    Case(
        "of sets that do not run the newest word counts",
        (f"stage has shop/api 1.4 {AS_FAILED}",),
        befores=(
            stage(
                ("qa-passed", NAMES, 2),
                ("qa-failed", {API: V4, WEB: V5}, 1),
                present={API: V5, WEB: V5},
            ),
        ),
        requires=PASSED,
    ),
    Case(
        "two images that were never passed together, each of them alone",
        changes={API: V4, WEB: V5},
        befores=(
            stage(
                ("qa-passed", NAMES, 2),
                ("qa-passed", {API: V3, WEB: V5}, 1),
                present={API: V4, WEB: V5},
            ),
        ),
        requires=PASSED,
    ),
    # source branches
    Case(
        "moved",
        ("release/1.4 moved from a1b2c3d to d4e5f6a",),
        origins=(origin(heads={"release/1.4": NEW}),),
    ),
    Case(
        "moved after QA's word",
        ("release/1.4 moved from a1b2c3d (QA passed) to d4e5f6a",),
        befores=(stage(("qa-passed", NAMES, 1)),),
        origins=(origin(heads={"release/1.4": NEW}),),
        requires=PASSED,
    ),
    Case(
        "moved, told once for all its images",
        ("release/1.4 moved from a1b2c3d to d4e5f6a",),
        changes=NAMES,
        origins=(
            origin(heads={"release/1.4": NEW}),
            origin(heads={"release/1.4": NEW}, image=WEB),
        ),
    ),
    Case(
        "deleted",
        ("release/1.4 is gone from the source repository of shop/api",),
        origins=(origin(heads={}),),
    ),
    Case(
        "another branch is not accepted",
        ("accepts release/{version}, not main",),
        origins=(origin("main", NEW),),
    ),
    Case(
        "another release branch is expected",
        (f"{API} 1.4 came from release/1.4, release/1.5 was asked for",),
        expected="release/1.5",
    ),
    Case("the expected branch", expected="refs/heads/release/1.4"),
    Case("the source repository is not known", (), (NO_SOURCE,), origins=(origin(known=False),)),
    Case(
        "not known, and not accepted all the same",
        ("accepts release/{version}, not main",),
        (NO_SOURCE.replace("release/1.4", "main"),),
        origins=(origin("main", known=False),),
    ),
    Case(
        "no commit recorded",
        (),
        (f"from which commit of release/1.4 {API} 1.4 came is not recorded",),
        origins=(origin(built=None),),
    ),
    Case(
        "nothing recorded",
        (),
        (f"from which source branch {API} 1.4 came is not recorded",),
        origins=(origin(None),),
    ),
    Case(
        "nothing recorded, but a branch expected",
        (f"from which source branch {API} 1.4 came is not recorded, release/1.4 was asked for",),
        origins=(origin(None),),
        expected="release/1.4",
    ),
    Case(
        "an image that does not change is not asked about",
        origins=(
            origin(),
            origin(heads={}, image=WEB),
        ),
    ),
    # soak
    Case("soaked", befores=(stage(("stable", NAMES, 24)),), soak=DAY),
    Case(
        "not yet soaked",
        ("stable in stage since 2026-11-23T13:00:00Z; 24h are over 2026-11-24T13:00:00Z",),
        befores=(stage(("stable", NAMES, 23)),),
        soak=DAY,
    ),
    Case(
        "soak starts again after a bad time",
        befores=(stage(("stable", NAMES, 30), ("degraded", NAMES, 20), ("stable", NAMES, 2)),),
        soak=timedelta(minutes=90),
    ),
    Case(
        "soak does not count from before a bad time",
        ("stable in stage since 2026-11-24T10:00:00Z; 150m are over 2026-11-24T12:30:00Z",),
        befores=(stage(("stable", NAMES, 30), ("degraded", NAMES, 20), ("stable", NAMES, 2)),),
        soak=timedelta(minutes=150),
    ),
    Case(
        "soak goes on when it is said again",
        befores=(stage(("stable", NAMES, 30), ("stable", NAMES, 2)),),
        soak=DAY,
    ),
    Case(
        "the youngest of its images must have soaked",
        ("stable in stage since 2026-11-24T11:00:00Z; 24h are over 2026-11-25T11:00:00Z",),
        changes={API: V4, WEB: V5},
        befores=(
            stage(
                ("stable", NAMES, 48),
                ("stable", {API: V3, WEB: V5}, 1),
                present={API: V4, WEB: V5},
            ),
        ),
        soak=DAY,
    ),
    Case(
        "not stable at all",
        (f"{API} 1.4 must be stable in stage for 24h, and is not yet",),
        soak=DAY,
    ),
    # everything at once
    Case(
        "every reason at once",
        (
            HELD,
            FROZEN,
            "release/1.4 moved from a1b2c3d to d4e5f6a",
            f"{WEB} 1.4 came from main, release/1.4 was asked for",
            "accepts release/{version}, not main",
            f"{WEB} 1.4 is not a release of stage",
            f"stage has {API} 1.4 {AS_FAILED}",
            f"stage has no stable for {API} 1.4",
            f"{API} 1.4 must be stable in stage for 45s, and is not yet",
        ),
        changes=NAMES,
        befores=(stage(("qa-failed", NAMES, 1), released=(API,)),),
        origins=(origin(heads={"release/1.4": NEW}), origin("main", NEW, image=WEB)),
        requires=(*PASSED, *STABLE),
        expected="release/1.4",
        hold=HOLD,
        freeze=FREEZE,
        soak=timedelta(seconds=45),
    ),
]


def judge(case: Case) -> Judgement:
    """Judge one row of the table."""
    return judge_promotion(
        case.overlay,
        [ImageChange(image, V3, value) for image, value in case.changes.items()],
        befores=case.befores,
        origins=case.origins,
        moment=Moment(NOON, case.hold, case.freeze),
        requires=case.requires,
        expected=case.expected,
        soak=case.soak,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table(case: Case) -> None:
    """Allowed, or refused with exactly these reasons, in this order."""
    judgement = judge(case)

    assert [f"prod: {text}" for text in case.reasons] == [
        str(reason) for reason in judgement.reasons
    ]
    assert list(case.warnings) == list(judgement.warnings)


def test_kinds() -> None:
    """Each rule has a kind of its own, so that faces can tell them apart."""
    found = {reason.kind for case in CASES for reason in judge(case).reasons}

    expected = {"hold", "freeze", "accepts", "after", "verdict", "requires", "ref", "moved", "gone"}
    assert expected | {"soak"} == found


def test_the_label_of_an_app() -> None:
    """With apps the reason names the app's overlay."""
    overlay = Overlay(Environment("prod", "apps/{app}/prod"), "shop")

    judgement = judge(Case("app", hold=HOLD, origins=(), overlay=overlay))

    assert [str(reason) for reason in judgement.reasons] == [f"shop/prod: {HELD}"]


def test_an_override_covers_what_stood_and_no_more() -> None:
    """A branch that moves once more is a new reason."""
    first = judge(Case("first", hold=HOLD, origins=(origin(heads={"release/1.4": NEW}),))).reasons
    again = judge(
        Case("again", hold=HOLD, origins=(origin(heads={"release/1.4": "f" * 40}),))
    ).reasons

    expected = (Reason(again[1].kind, "prod", "release/1.4 moved from a1b2c3d to fffffff"),)

    assert outstanding(first, frozenset(first)) == ()
    assert expected == outstanding(again, frozenset(first))


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        ("2026-10-23T15:59:59", True),  # Friday, Berlin 17:59
        ("2026-10-23T16:00:00", False),
        ("2026-10-24T05:59:59", False),
        ("2026-10-24T06:00:00", True),
        ("2026-10-26T16:59:59", True),  # Monday, winter time: Berlin 17:59
        ("2026-10-26T17:00:00", False),
    ],
)
def test_the_clock_and_a_freeze(now: str, allowed: bool) -> None:
    """The same promotion is allowed or not, by the wall clock of the freeze's zone."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    nights = Freeze(
        "nights",
        "nobody awake",
        Recurrence(parse_cron("0 18 * * 1-5"), timedelta(hours=14)),
        ("prod",),
        "Europe/Berlin",
    )

    case = Case("clock", freeze=closed([nights], "prod", moment))

    assert allowed == (not judge(case).reasons)


# --- what is carried --------------------------------------------------------------------------

WHOLE = ImageValue("reg.example.com/api", "1.4", "sha256:" + "0" * 64)


def test_name_tag_and_digest_are_carried_as_one() -> None:
    """What the target has in any of the three gives way, also where the source has nothing."""
    carried = carry(
        {API: WHOLE, WEB: V4},
        {API: V3, WEB: WHOLE},
        source_label="stage",
        target_label="prod",
    )

    assert carried.requests == (
        ImageRequest(API, WHOLE.name, WHOLE.tag, WHOLE.digest),
        ImageRequest(WEB, None, "1.4", None),
    )
    assert [request.apply(WHOLE) for request in carried.requests] == [WHOLE, V4]
    assert carried.warnings == ()


@pytest.mark.parametrize(
    ("names", "requested", "warnings"),
    [
        (
            (),
            [API],
            ["prod has no image shop/new: left out", "stage pins nothing for etc: left out"],
        ),
        ((API,), [API], []),
        ((API, API), [API], []),
        (("shop/new",), [], ["prod has no image shop/new: left out"]),
        (("etc", API), [API], ["stage pins nothing for etc: left out"]),
    ],
)
def test_what_is_left_out(
    names: tuple[str, ...], requested: list[str], warnings: list[str]
) -> None:
    """An image that the target lacks, or that the source does not pin, is left out and told."""
    carried = carry(
        {API: V4, "shop/new": V4, "etc": ImageValue()},
        {API: V3, WEB: V3, "etc": V3},
        names,
        source_label="stage",
        target_label="prod",
    )

    assert requested == [request.image for request in carried.requests]
    assert warnings == list(carried.warnings)


@pytest.mark.parametrize(
    "value",
    [
        ImageValue(tag=f"v2@sha256:{'b' * 64}", digest=f"sha256:{'a' * 64}"),
        ImageValue(tag="v 1"),
        ImageValue(digest="sha256:abc"),
        ImageValue(name="Reg/API", tag="v1"),
    ],
)
def test_what_no_runtime_can_pull_is_not_carried_on(value: ImageValue) -> None:
    """What is broken in one environment does not break the next; a template is somebody's."""
    with pytest.raises(Refused, match=r"^stage has shop/api .* which cannot be pulled: it has a "):
        carry({API: value}, {API: V3}, source_label="stage", target_label="prod")

    templates = {API: ImageValue(tag="${TAG}")}
    assert carry(templates, {API: V3}, source_label="stage", target_label="prod").requests


@pytest.mark.parametrize(
    ("source", "have"),
    [({API: V4, WEB: V4}, f"it has: {API}, {WEB}"), ({}, "its list is empty")],
)
def test_a_named_image_that_is_not_there(source: Mapping[str, ImageValue], have: str) -> None:
    """It is an error that lists the ones there are, and no word of making one."""
    with pytest.raises(NotFound) as error:
        carry(source, {API: V3}, ["shop/ap"], source_label="stage", target_label="prod")

    assert f"stage has no image shop/ap; {have}" == error.value.message
    assert error.value.hint == ("did you mean shop/api?" if source else None)
