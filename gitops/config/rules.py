"""What one value of `gitops.yaml` demands of another, and the values that come of it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from gitops.config.clusters import check_clusters, make_cluster, make_patience
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

_OF_SERVER = ("access", "jobs", "alerts", "notify")
_Placed = tuple[Value, Value, tuple[str, ...]]
"""An environment, one of its overlays, and the parts of its path."""


def check_rules(root: Value, problems: Problems) -> None:
    """Add what is wrong between the values: names, overlays, order, modes that exclude others."""
    lists = root.lists
    rows = lists.get("environments", ())
    names = [row.texts.get("name", "") for row in rows]
    problems.add_repeated(rows, "name", "an environment {}")
    _check_overlays(rows, root.texts.get("branch", ""), problems)
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
    ignore = tuple(_plain_path(one.text) for one in lists.get("ignore", ()))
    environments = tuple(_make_environment(row, ignore) for row in lists.get("environments", ()))
    return Config(
        branch=text.get("branch") or None,
        environments=environments,
        sources={
            row.get("name"): row.get("source")
            for row in lists.get("images", ())
            if "source" in row.keys
        },
        signers=text.get("signers") or None,
        forge=_make_forge(root.keys.get("forge")),
        repository=text.get("repository") or None,
        message=_make_message(root.keys.get("message")),
        pulls=_make_pulls(root.keys.get("pullRequest")),
        cleanup=tuple(make_cleanup(row) for row in lists.get("cleanup", ())),
        registries=make_registries(table) if (table := root.keys.get("registries")) else None,
        provenance=_make_provenance(root.keys.get("provenance")) or Provenance(),
        clusters=tuple(make_cluster(row) for row in lists.get("clusters", ())),
        **_make_rare(root, environments),
    )


def _make_rare(root: Value, environments: Sequence[Environment]) -> dict[str, Any]:
    """Return the fields of a Config that few files have; what makes them is loaded for those."""
    lists = root.lists
    found: dict[str, Any] = _make_followed(lists.get("images", ()))
    order = [row.name for row in environments]
    if rows := lists.get("groups"):
        from gitops.config.groups import make_group

        found["groups"] = tuple(make_group(row, order) for row in rows)
    if rows := lists.get("freeze"):
        from gitops.config.freezes import make_freeze

        found["freezes"] = tuple(make_freeze(row) for row in rows)
    if rows := lists.get("branches"):
        from gitops.config.branches import make_branches

        found["branch_rules"] = make_branches(rows)
    if rows := lists.get("databases"):
        from gitops.config.databases import make_databases

        found["databases"] = make_databases(rows)
    if any(lists.get(key) for key in _OF_SERVER):
        from gitops.config.server import make_server

        found |= make_server(root, found.get("groups", ()), order)
    return found


def _make_followed(images: Sequence[Value]) -> dict[str, Any]:
    """Return what follows images, and which tags they follow themselves."""
    found: dict[str, Any] = {}
    if any("also" in row.keys for row in images):
        from gitops.config.followers import make_also

        found["also"] = make_also(images)
    if any("tags" in row.keys for row in images):
        from gitops.config.tags import make_tag_rules

        found["tag_rules"] = make_tag_rules(images)
    return found


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


def _make_provenance(table: Value | None) -> Provenance | None:
    if table is None:
        return None
    from gitops.config.registries import make_provenance  # only few files have it

    return make_provenance(table)


def _make_environment(row: Value, ignore: tuple[str, ...]) -> Environment:
    text, words, wait = row.texts, row.words(), row.keys.get("wait")
    overlays = tuple(_plain_path(one) for one in words.get("overlay", ())) or ("",)
    return Environment(
        name=text.get("name", ""),
        overlay=overlays[0],
        others=overlays[1:],
        ignore=ignore,
        builds=tuple(_plain_path(one) for one in words.get("builds", ())),
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


def _check_overlays(rows: Sequence[Value], trunk: str, problems: Problems) -> None:
    """One directory is one environment's: a change to one must never reach another.

    On another branch the same path is another directory, and so is one inside another: what is
    pinned stands in the kustomization of each. `trunk` is the top-level branch. Only what has
    `{app}` is compared with all that came before: of thousands of environments few have it.
    """
    earlier: dict[str, list[_Placed]] = {}
    with_app: dict[str, list[_Placed]] = {}
    alike: dict[tuple[str, tuple[str, ...]], list[_Placed]] = {}
    for row in rows:
        branch = row.texts.get("branch", trunk)
        found = row.lists.get("overlay", ())
        for overlay in found:
            if len(found) > 1 and "{app}" not in overlay.text:
                what = "of several overlays each must hold {app}: it tells them apart"
                problems.add(overlay.place, overlay.path, what)
            parts = tuple(_plain_path(overlay.text).split("/"))
            same, any_app = alike.setdefault((branch, parts), []), with_app.setdefault(branch, [])
            before = earlier.setdefault(branch, []) if "{app}" in parts else [*same, *any_app]
            for owner, other, theirs in before:
                how = _overlap(parts, theirs) if owner is not row else None
                if how is not None:
                    name = owner.get("name", "another environment")
                    where = f"{other.text} of {name} (line {other.place[0]})"
                    problems.add(overlay.place, overlay.path, f"{overlay.text} {how} {where}")
            placed = (row, overlay, parts)
            earlier.setdefault(branch, []).append(placed)
            (any_app if "{app}" in parts else same).append(placed)


def _overlap(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str | None:
    """Say how two directories are one, if they can be; `{app}` may be any one folder."""
    if len(ours) != len(theirs):
        return None
    for one, two in zip(ours, theirs, strict=True):
        if one != two and "{app}" not in (one, two):
            return None
    return "is the same directory as" if ours == theirs else "can be the same directory as"


def _plain_path(text: str) -> str:
    """Return a directory without `./` before and `/` behind it."""
    return "/".join(part for part in text.split("/") if part not in ("", "."))


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
