"""What one value of `gitops.yaml` demands of another, and the values that come of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from gitops.config.clusters import check_clusters, make_cluster, make_patience
from gitops.config.overlays import check_overlays, plain_path
from gitops.config.registries import (
    check_cleanup,
    check_pins,
    check_provenance,
    make_cleanup,
    make_registries,
)
from gitops.config.shapes import Problems, Value, nearest, shown
from gitops.core.environments.environment import (
    Approvals,
    ChangeMode,
    Config,
    Confirm,
    Database,
    DataProtection,
    Deploy,
    Environment,
    Follow,
    ForgeKind,
    ForgeSetting,
    MergeMethod,
    MessageForm,
    OnAlert,
    Patience,
    Pin,
    Provenance,
    PullRules,
    Registry,
    Required,
    RollbackMode,
)
from gitops.core.text.plain import read_duration

if TYPE_CHECKING:
    from gitops.core.environments.environment import BranchRule, Group
    from gitops.core.environments.follower import Also
    from gitops.core.environments.freeze import Freeze
    from gitops.core.environments.rows import DatabaseRow
    from gitops.core.environments.tag_rules import TagRule

_OF_SERVER = ("access", "jobs", "alerts", "notify")


def check_rules(root: Value, problems: Problems) -> None:
    """Add what is wrong between the values: names, overlays, order, modes that exclude others."""
    lists = root.lists
    rows = lists.get("environments", ())
    names = [row.texts.get("name", "") for row in rows]
    problems.add_repeated(rows, "name", "an environment {}")
    check_overlays(rows, root.texts.get("branch", ""), problems)
    _check_order(rows, names, problems)
    _check_formerly(rows, names, problems)
    if any("pin" in row.keys for row in rows):
        check_pins(rows, problems)
    if any("provenance" in one.keys for one in (root, *rows)):
        check_provenance([one.keys.get("provenance") for one in (root, *rows)], problems)
    if lists.get("cleanup"):
        check_cleanup(lists["cleanup"], problems)
    if lists.get("groups"):
        from gitops.config.groups import check_groups  # few have any

        check_groups(lists["groups"], rows, names, problems)
    if lists.get("images"):
        _check_images(lists["images"], problems)
    _check_forge(root.keys.get("forge"), problems)
    if lists.get("clusters"):
        check_clusters(lists["clusters"], names, problems)
    if any(lists.get(key) for key in _OF_SERVER):
        from gitops.config.server import check_server  # only few calls want them

        check_server(lists, names, problems)
    if lists.get("databases"):
        from gitops.config.databases import check_databases  # only few commands want them

        check_databases(lists["databases"], problems)
    for row in rows:
        _check_modes(row, problems)
        _check_after(row, problems)
        _check_protection(row, problems)
    if lists.get("freeze", ()):
        from gitops.config.freezes import check_freezes  # time zones, only where there are windows

        check_freezes(lists.get("freeze", ()), names, problems)
    if lists.get("branches", ()):
        from gitops.config.branches import check_branches  # only few commands want them

        check_branches(lists.get("branches", ()), problems)


def make_config(root: Value) -> Config:
    """Return the values of a file without problems."""
    text, lists = root.texts, root.lists
    ignore = tuple(plain_path(one.text) for one in lists.get("ignore", ()))
    environments = tuple(_make_environment(row, ignore) for row in lists.get("environments", ()))
    groups = _make_groups(lists.get("groups", ()), environments)
    return Config(
        branch=text.get("branch") or None,
        environments=environments,
        groups=groups,
        sources={
            row.get("name"): row.get("source")
            for row in lists.get("images", ())
            if "source" in row.keys
        },
        also=_make_also(lists.get("images", ())),
        tag_rules=_make_tag_rules(lists.get("images", ())),
        freezes=_make_freezes(lists.get("freeze", ())),
        signers=text.get("signers") or None,
        forge=_make_forge(root.keys.get("forge")),
        repository=text.get("repository") or None,
        message=_make_message(root.keys.get("message")),
        pulls=_make_pulls(root.keys.get("pullRequest")),
        branch_rules=_make_branches(lists.get("branches", ())),
        cleanup=tuple(make_cleanup(row) for row in lists.get("cleanup", ())),
        registries=make_registries(table) if (table := root.keys.get("registries")) else None,
        provenance=_make_provenance(root.keys.get("provenance")) or Provenance(),
        clusters=tuple(make_cluster(row) for row in lists.get("clusters", ())),
        databases=_make_databases(lists.get("databases", ())),
        **_make_server(root, groups, environments),
    )


def _check_images(rows: Sequence[Value], problems: Problems) -> None:
    problems.add_repeated(rows, "name", "{}")  # one image, one repository
    for row in rows:
        said = {"source", "also", "tags", "on"} & row.keys.keys()
        if not said and not any(problems.has(f"{row.path}.{key}") for key in ("source", "tags")):
            what = "is missing: say where it is built, or with `also` what follows it"
            problems.add(row.place, f"{row.path}.source", what)
    if any("also" in row.keys for row in rows):
        from gitops.config.followers import check_followers  # only few files have them

        check_followers(rows, problems)
    if any({"on", "tags", "order"} & row.keys.keys() for row in rows):
        from gitops.config.tags import check_tags  # only few files have them

        check_tags(rows, problems)


def _make_groups(rows: Sequence[Value], environments: Sequence[Environment]) -> tuple[Group, ...]:
    if not rows:
        return ()
    from gitops.config.groups import make_group  # few have any

    order = [row.name for row in environments]
    return tuple(make_group(row, order) for row in rows)


def _make_server(
    root: Value, groups: Sequence[Group], environments: Sequence[Environment]
) -> dict[str, Any]:
    if not any(root.lists.get(key) for key in _OF_SERVER):
        return {}
    from gitops.config.server import make_server  # only few calls want them

    return dict(make_server(root, groups, [row.name for row in environments]))


def _make_databases(rows: Sequence[Value]) -> tuple[DatabaseRow, ...]:
    if not rows:
        return ()
    from gitops.config.databases import make_databases  # only few commands want them

    return make_databases(rows)


def _make_provenance(table: Value | None) -> Provenance | None:
    if table is None:
        return None
    from gitops.config.registries import make_provenance  # only few files have it

    return make_provenance(table)


def _make_also(rows: Sequence[Value]) -> Also:
    if not any("also" in row.keys for row in rows):
        return {}
    from gitops.config.followers import make_also  # only few files have them

    return make_also(rows)


def _make_tag_rules(rows: Sequence[Value]) -> Mapping[str, TagRule]:
    if not any("tags" in row.keys for row in rows):
        return {}
    from gitops.config.tags import make_tag_rules  # only few files have them

    return make_tag_rules(rows)


def _make_branches(rows: Sequence[Value]) -> tuple[BranchRule, ...]:
    if not rows:
        return ()
    from gitops.config.branches import make_branches  # only few commands want them

    return make_branches(rows)


def _make_environment(row: Value, ignore: tuple[str, ...]) -> Environment:
    text, words, wait = row.texts, row.words(), row.keys.get("wait")
    overlays = tuple(plain_path(one) for one in words.get("overlay", ())) or ("",)
    return Environment(
        name=text.get("name", ""),
        overlay=overlays[0],
        others=overlays[1:],
        ignore=ignore,
        builds=tuple(plain_path(one) for one in words.get("builds", ())),
        accepts=words.get("accepts", ()),
        deploy=cast(Deploy, text.get("deploy", "manual")),
        change=cast(ChangeMode, text.get("change", "commit")),
        rollback=cast(RollbackMode, text.get("rollback", "commit")),
        after=words.get("after", ()),
        follow=cast(Follow, text.get("follow", "newest")),
        database=cast("Database | None", text.get("database") or None),
        protection=cast("DataProtection | None", text.get("dataProtection") or None),
        requires=cast("tuple[Required, ...]", words.get("requires", ())),
        soak=read_duration(text.get("soak", "")) if "soak" in row.keys else None,
        branch=text.get("branch") or None,
        approvals=_make_approvals(row.keys.get("approvals")),
        wait=make_patience(wait) if wait is not None else Patience(),
        follow_below=text.get("followBelow") or None,
        on_alert=cast(OnAlert, text.get("onAlert", "off")),
        confirm=cast(Confirm, text.get("confirm", "ask")),
        formerly=words.get("formerly", ()),
        pin=cast(Pin, text.get("pin", "tag")),
        platforms=words.get("platforms", ()),
        registry=cast(Registry, text.get("registry", "shared")),
        provenance=_make_provenance(row.keys.get("provenance")),
        line=row.place[0],
    )


def _make_approvals(table: Value | None) -> Approvals:
    if table is None:
        return Approvals()
    return Approvals(int(table.get("required", "1")), table.get("self") == "true")


def _make_forge(table: Value | None) -> ForgeSetting | None:
    if table is None:
        return None
    return ForgeSetting(cast(ForgeKind, table.get("kind")), table.get("url").rstrip("/") or None)


def _make_message(table: Value | None) -> MessageForm:
    if table is None:
        return MessageForm()
    trailers = table.list_texts("trailers")
    return MessageForm(table.get("subject", "{summary}"), trailers)


def _make_pulls(table: Value | None) -> PullRules:
    if table is None:
        return PullRules()
    return PullRules(
        labels=table.list_texts("labels"),
        reviewers=table.list_texts("reviewers"),
        method=cast(MergeMethod, table.get("mergeMethod", "merge")),
        draft=table.get("draft") == "true",
    )


def _make_freezes(rows: Sequence[Value]) -> tuple[Freeze, ...]:
    if not rows:
        return ()
    from gitops.config.freezes import make_freeze  # time zones, only where there are windows

    return tuple(make_freeze(row) for row in rows)


def _check_formerly(rows: Sequence[Value], names: Sequence[str], problems: Problems) -> None:
    """A name is one environment's, today or earlier: its holds must not hold another."""
    taken = {name: name for name in names}
    for row in rows:
        for item in row.lists.get("formerly", ()):
            owner = taken.setdefault(item.text, row.get("name"))
            if owner == item.text:
                problems.add(item.place, item.path, f"an environment is called {item.text} today")
            elif owner != row.get("name"):
                problems.add(item.place, item.path, f"{owner} was called {item.text}, too")


def _check_after(row: Value, problems: Problems) -> None:
    """What is asked of `after` means nothing without one."""
    for key in ("requires", "soak"):
        value = row.keys.get(key)
        if value is not None and (value.text or value.items) and not row.list("after"):
            what = f"looks at the environments before {row.get('name')}: name them with `after`"
            problems.add(value.place, value.path, what)


def _check_forge(table: Value | None, problems: Problems) -> None:
    """Where there is no forge there is no address."""
    url = table.keys.get("url") if table is not None else None
    if table is not None and url is not None and table.get("kind") == "none":
        problems.add(url.place, url.path, "kind is none: leave the url out, or name the kind")


def _check_order(rows: Sequence[Value], names: Sequence[str], problems: Problems) -> None:
    """`after` must name environments that come earlier, so that there is a way to each."""
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    for index, row in enumerate(rows):
        for item in row.lists.get("after", ()):
            if item.text == row.get("name"):
                what = f"{item.text} cannot come after itself"
            elif first.get(item.text, index) < index:
                earlier = rows[first[item.text]].get("overlay")
                if not _per_app(earlier) or _per_app(row.get("overlay", earlier)):
                    continue
                what = f"{item.text} has an overlay for each app, {row.get('name')} has one for all"
            elif item.text in first:
                line = rows[first[item.text]].place[0]
                what = f"{item.text} comes later (line {line}): put it before {row.get('name')}"
            else:
                near = nearest(item.text, [name for name in names[:index] if name])
                what = f"no environment {shown(item.text)}{near}"
            problems.add(item.place, item.path, what)


def _per_app(overlay: str) -> bool:
    return "{app}" in overlay


def _check_protection(row: Value, problems: Problems) -> None:
    """Dummy data needs no protection; a word about it would be believed of real data later."""
    value = row.keys.get("dataProtection")
    if value is not None and row.texts.get("database") != "real":
        what = "is about real data: database is not real here"
        problems.add(value.place, value.path, what)


def _check_modes(row: Value, problems: Problems) -> None:
    if row.texts.get("change") != "work-tree":
        return
    branch = row.keys.get("branch")
    if branch is not None:
        what = "means nothing here: a checkout is edited, no branch is (change: work-tree)"
        problems.add(branch.place, branch.path, what)
    for key, word, why in (
        ("deploy", "auto", "only a person edits a checkout (change: work-tree)"),
        (
            "rollback",
            "pull-request",
            "nothing is committed there (change: work-tree)",
        ),
    ):
        value = row.keys.get(key)
        if value is not None and value.text == word:
            problems.add(value.place, value.path, f"cannot be {word}: {why}")
