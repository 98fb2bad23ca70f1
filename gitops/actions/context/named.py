"""What a call names where ENV stands: environments, groups, `APP/ENV`, and `--app` beside them.

Resolved once, to overlays in promotion order; the verbs plan over that list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from gitops.actions.context.overlays import apps_of, find_app, find_environment, overlays_of
from gitops.actions.context.session import Tip
from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.text.plain import some_of
from gitops.errors import NotFound, UsageError

_MOST_TOLD = 12  # overlays or apps that a message lists


class Named(Struct, frozen=True):
    """The words of a call.

    Attributes:
        words: names of environments and groups, each maybe with an app before it: `shop/prod`.
        apps: of `--app`; () means all.
    """

    words: tuple[str, ...]
    apps: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What a person types to name the same."""
        return " ".join([*self.words, *(f"--app {app}" for app in self.apps)])


class NamedRow(Struct, frozen=True):
    """One environment that a word stands for.

    Attributes:
        apps: those that are meant; () means all.
        alone: the word names this very environment: then it must have what is asked of it. Of a
            group it is enough that one has it.
    """

    row: Environment
    apps: tuple[str, ...]
    alone: bool


def rows_named(config: Config, named: Named) -> tuple[NamedRow, ...]:
    """Return the environments that are named, in promotion order; one may be there several times.

    Raises NotFound for a word that stands for none, UsageError for an app that is named twice.
    """
    order = {row.name: place for place, row in enumerate(config.environments)}
    found = [one for word in dict.fromkeys(named.words) for one in _rows(config, word, named.apps)]
    return tuple(sorted(found, key=lambda one: order[one.row.name]))


def _rows(config: Config, word: str, apps: tuple[str, ...]) -> Iterator[NamedRow]:
    app, _, name = word.rpartition("/")
    if app and apps:
        raise UsageError(f"{word} names the app: leave out --app")
    wanted = (app,) if app else tuple(dict.fromkeys(apps))
    group = config.find_group(name) if config.groups else None
    if group is None:
        yield NamedRow(find_environment(config, name), wanted, alone=True)
        return
    for each in group.environments:
        yield NamedRow(find_environment(config, each), wanted, alone=False)


def overlays_named(tip: Tip, named: Named) -> tuple[Overlay, ...]:
    """Return the overlays that are named, each once, in promotion order and by app.

    Raises NotFound for an environment, an app or a branch that is not there; UsageError for an app
    where there are none.
    """
    return resolve(tip, rows_named(tip.config, named), named.apps)


def resolve(tip: Tip, rows: Sequence[NamedRow], apps: Sequence[str] = ()) -> tuple[Overlay, ...]:
    """Return the overlays of `rows`; see `overlays_named`. `apps` must be in one of them."""
    found = dict.fromkeys(overlay for one in rows for overlay in overlays_in_row(tip, one))
    require_apps(rows, apps, found)
    if not found:
        raise NotFound(f"there is no app yet in any of {_names(rows)}")
    return tuple(found)


def require_apps(rows: Sequence[NamedRow], apps: Sequence[str], found: Iterable[Overlay]) -> None:
    """Raise NotFound for an app that is named and is in none of the overlays that were found."""
    there = {one.app for one in found}
    wanted = dict.fromkeys((*apps, *(app for one in rows for app in one.apps)))
    missing = [app for app in wanted if app not in there]
    if missing:
        raise NotFound(f"no app {missing[0]!r} in any of {_names(rows)}")


def _names(rows: Sequence[NamedRow]) -> str:
    return ", ".join(dict.fromkeys(one.row.name for one in rows))


def overlays_in_row(tip: Tip, one: NamedRow) -> Iterator[Overlay]:
    """Yield the overlays of one environment that are meant. Raises what `overlays_named` does."""
    row = one.row
    if not row.per_app:
        if one.apps and one.alone:
            name = row.name
            raise UsageError(f"environment {name} has one overlay for everything: leave out --app")
        if not one.apps:
            yield Overlay(row)
        return
    home = tip.of(row)
    for app in one.apps:
        found = find_app(home, row, app)
        if found is not None:
            yield found
        elif one.alone:
            known = some_of(apps_of(home, row), _MOST_TOLD) or "none yet"
            raise NotFound(f"no app {app!r} in environment {row.name}; there are {known}")
    if one.apps:
        return
    overlays = overlays_of(home, row)
    yield from overlays
    if not overlays and one.alone:
        raise NotFound(f"environment {row.name} has no app yet: nothing matches {row.shown}")


def find_overlay(tip: Tip, name: str, app: str | None = None) -> Overlay:
    """Return the one overlay that `name` stands for: an environment, or `APP/ENV`.

    Raises NotFound for what is not there; UsageError when it stands for several, or when `app`
    makes no sense.
    """
    named = Named((name,), (app,) if app is not None else ())
    rows = rows_named(tip.config, named)
    found = resolve(tip, rows, named.apps)
    if len(found) == 1:
        return found[0]
    if len(rows) > 1:
        raise UsageError(
            f"{name} stands for several overlays: say which",
            hint=some_of([overlay.label for overlay in found], _MOST_TOLD),
        )
    raise UsageError(
        f"environment {rows[0].row.name} has an overlay for each app: say which with --app",
        hint=f"apps: {some_of([str(overlay.app) for overlay in found], _MOST_TOLD)}",
    )


def counterpart(tip: Tip, name: str, app: str | None) -> Overlay:
    """Return the overlay of environment `name` for `app`, or its only one where it has no apps.

    `name` may be `APP/ENV`. Raises what `find_overlay` raises.
    """
    row = find_environment(tip.config, name.rpartition("/")[2])
    return find_overlay(tip, name, app if row.per_app and "/" not in name else None)
