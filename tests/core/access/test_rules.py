"""Who may do what, by rows of `access:`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops.core.access.rules import decide, names_in
from gitops.core.environments.rows import ACTS, AccessRow

ANA = ("user:ana@example.com", "group:shop:oncall")
ROWS = (
    AccessRow(("rollback", "hold"), ("prod",), ("group:shop:oncall", "user:li"), line=12),
    AccessRow(("deploy",), ("dev",), ("job:shop-ci",), images=("shop/*",), line=13),
    AccessRow(("approve",), ("prod",), ("user:ana@example.com", "user:ben"), line=14),
    AccessRow(("qa",), ("test",), ("user:ana@example.com",), apps=("shop-*",), line=15),
)
_WORDS = st.sampled_from(["a", "b", "A", "a ", "a:b"])
_NAMES = st.builds("{}:{}".format, st.sampled_from(["user", "group", "job"]), _WORDS)
_ROW = st.builds(
    AccessRow,
    may=st.lists(st.sampled_from(ACTS), min_size=1).map(tuple),
    environments=st.lists(st.sampled_from(["dev", "prod"]), min_size=1).map(tuple),
    who=st.lists(_NAMES, min_size=1).map(tuple),
    apps=st.lists(st.sampled_from(["shop", "sh*", "*"]), max_size=2).map(tuple),
    images=st.lists(st.sampled_from(["shop/*", "shop/api", "**"]), max_size=2).map(tuple),
)


def test_a_row_allows_what_it_says() -> None:
    """The reason names the line and what of the person fits it."""
    decision = decide(ROWS, ANA, "rollback", "prod")

    assert decision.allowed
    assert "line 12 of gitops.yaml lets group:shop:oncall roll back prod" == decision.why


def test_nothing_follows_from_another_right() -> None:
    """Who may roll back may not undo it, nor resume, nor anything elsewhere."""
    for act in ("undo", "resume", "override", "deploy"):
        assert "nobody" == decide(ROWS, ANA, act, "prod").ground
    assert not decide(ROWS, ANA, "rollback", "stage")


def test_without_rows_nobody_acts() -> None:
    """No `access:` is no open door."""
    why = "nobody may roll back prod here: gitops.yaml has no `access:`"
    assert why == decide((), ANA, "rollback", "prod").why


def test_the_reason_says_who_may() -> None:
    """Whoever sees a closed door reads whom to ask, and what they are called themselves."""
    decision = decide(ROWS, ("user:li@example.com", "group:shop"), "rollback", "prod")

    assert not decision.allowed
    assert (
        "only group:shop:oncall and user:li may roll back prod; "
        "you are user:li@example.com and group:shop" == decision.why
    )


def test_images_are_bounded() -> None:
    """One image outside spoils all of them; a call that does not say which is refused."""
    job = ("job:shop-ci",)
    assert decide(ROWS, job, "deploy", "dev", None, ["shop/api", "shop/web"])
    assert not decide(ROWS, job, "deploy", "dev")
    assert decide(ROWS, job, "deploy", "dev", None, None)  # a button, not the act
    decision = decide(ROWS, job, "deploy", "dev", None, ["shop/api", "shop/x/y", "pay/api"])
    assert ("shop/x/y", "pay/api") == decision.missing
    assert "you may touch the images shop/* only, not shop/x/y and pay/api" == decision.why


def test_apps_are_bounded() -> None:
    """A right for some apps is none for the environment as a whole."""
    assert decide(ROWS, ANA, "qa", "test", "shop-api")
    assert "in test you may say what QA found in shop-* only, not pay" == (
        decide(ROWS, ANA, "qa", "test", "pay").why
    )
    assert "app" == decide(ROWS, ANA, "qa", "test").ground


def test_an_author_never_approves_their_own() -> None:
    """By name or by mail address, in any case; another one may."""
    own = {"authors": ["ben@example.com", "Ana@Example.com"]}
    decision = decide(ROWS, ANA, "approve", "prod", **own)
    assert (False, "own") == (decision.allowed, decision.ground)
    assert not decide(ROWS, ["user:ben", "mail:ben@example.com"], "approve", "prod", **own)
    assert decide(ROWS, ["user:ben"], "approve", "prod", authors=["user:ana@example.com"])
    assert decide(ROWS, ANA, "rollback", "prod", **own)


@given(
    rows=st.lists(_ROW, max_size=4),
    names=st.lists(_NAMES, max_size=3),
    act=st.sampled_from(ACTS),
    environment=st.sampled_from(["dev", "prod", "stage"]),
    app=st.sampled_from([None, "shop", "pay"]),
    images=st.lists(st.sampled_from(["shop/api", "shop/a/b", "pay"]), max_size=2),
)
def test_a_right_has_a_row_that_says_it(
    rows: list[AccessRow],
    names: list[str],
    act: str,
    environment: str,
    app: str | None,
    images: list[str],
) -> None:
    """Allowed means: a row has this act, this environment and this very name; and says why."""
    decision = decide(rows, names, act, environment, app, images)

    says = [
        row
        for row in rows
        if act in row.may and environment in row.environments and set(row.who) & set(names)
    ]
    assert decision.why
    assert not decision.allowed or says
    plain = [row for row in says if not row.apps and not row.images]
    assert decision.allowed or not plain
    assert set(decision.who) <= names_in(rows)


@given(rows=st.lists(_ROW, max_size=4), more=_ROW, names=st.lists(_NAMES, min_size=1, max_size=3))
def test_a_row_takes_nothing_away(rows: list[AccessRow], more: AccessRow, names: list[str]) -> None:
    """Rows only add rights, so their order says nothing and a reader can look at each alone."""
    for act in ACTS:
        before = decide(rows, names, act, "prod", "shop", ["shop/api"])
        assert not before or decide([*rows, more], names, act, "prod", "shop", ["shop/api"])
        assert not before or decide([more, *rows], names, act, "prod", "shop", ["shop/api"])
