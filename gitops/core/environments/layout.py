"""Which folder of an existing repository is which environment, told by the names that teams use.

A proposal for a person to read, not a rule: what nobody names so is left out, and told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.branch_patterns import is_branch_part
from gitops.core.yamltext import plain_or_quoted, quote

EnvironmentKind = Literal["local", "dev", "test", "stage", "prod"]

_WORDS: Mapping[EnvironmentKind, tuple[str, ...]] = {
    "local": ("local",),
    "dev": ("dev", "devel", "develop", "development"),
    "test": ("int", "integration", "test", "testing", "tst", "sit", "qa", "uat"),
    "stage": (
        "preview",
        "acc",
        "acceptance",
        "stage",
        "staging",
        "stg",
        "preprod",
        "preproduction",
    ),
    "prod": ("prod", "production", "prd", "live"),
}
"""Names by kind, and within a kind in the order in which images go through them."""

_RANK = {word: rank for rank, word in enumerate(word for row in _WORDS.values() for word in row)}
_KIND: dict[str, EnvironmentKind] = {word: kind for kind, row in _WORDS.items() for word in row}
_APPS = frozenset(("apps", "app", "applications", "services", "components", "workloads", "teams"))
_OVERLAYS = frozenset(("overlays", "overlay", "environments", "envs", "env", "clusters"))
# Folders that hold all there is: `deploy/overlays/dev` is no app called deploy.
_GENERIC = (
    _OVERLAYS
    | _APPS
    | {
        *("k8s", "kubernetes", "kustomize", "deploy", "deployment", "deployments", "manifests"),
        *("manifest", "gitops", "infra", "infrastructure", "config", "argocd"),
    }
)
_UNWRITABLE = re.compile(r"[\\{}\x00-\x1f\x7f]+")  # what `gitops.yaml` takes in no path
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class KustomizedFolder(Struct, frozen=True):
    """A folder with a kustomization.

    Attributes:
        path: from the root, "" for the root.
        images: the names in its `images:`; None where it cannot be read.
        bases: what it is built on, as paths from the root: other folders, and files.
    """

    path: str
    images: tuple[str, ...] | None
    bases: tuple[str, ...] = ()


class FoundEnvironment(Struct, frozen=True):
    """An environment that the folders tell of.

    Attributes:
        kind: what its name says it is for.
        overlay: its folder, with `{app}` where each app has one.
        after: the environments that its images come from.
        others: more such patterns, where apps lie in several places.
    """

    name: str
    kind: EnvironmentKind
    overlay: str
    after: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """All of them, the commonest first."""
        return (self.overlay, *self.others)


class Layout(Struct, frozen=True):
    """What was found.

    Attributes:
        environments: in promotion order.
        unknown: folders with images that belong to none of them, and that none is built on.
        unpinned: their folders that pin no image.
        ignored: folders of apps after which no branch can be named, or none beside the others.
    """

    environments: tuple[FoundEnvironment, ...]
    unknown: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def find_layout(
    folders: Sequence[KustomizedFolder], named: Mapping[str, str] | None = None
) -> Layout:
    """Return the environments of a repository.

    Args:
        named: folder -> environment, where something else tells it (an Argo CD Application).
    """
    places = _places(folders, named or {})
    shapes = _shapes(place for found in places.values() for place in found)
    by_name: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, EnvironmentKind] = {}
    tree = {folder.path: folder for folder in folders}
    deploying: set[str] = set()
    for folder in folders:
        for place in places.get(folder.path, ()):
            # A folder that pins images counts more than any number of those that do not.
            by_name[place.name][shapes[place]] += 1000 if folder.images else 1
            kinds[place.name] = place.kind
            if _is_pinned(folder, tree):
                deploying.add(shapes[place])
    common = sum(by_name.values(), Counter())
    rows = []
    for name, found in by_name.items():
        best = max(
            found,
            key=lambda shape: (found[shape] >= 1000, common[shape], "{app}" in shape, found[shape]),
        )
        first, *others = [
            shape.replace("{env}", name) for shape in (best, *_others(best, found, deploying))
        ]
        rows.append(FoundEnvironment(name, kinds[name], first, others=tuple(others)))
    rows.sort(key=lambda row: (_rank(row.name), row.name))
    return _with_rest(_in_order(rows), folders)


def _others(best: str, found: Counter[str], deploying: set[str]) -> list[str]:
    """Return the other places where apps of an environment lie; one without `{app}` is alone."""
    if "{app}" not in best:
        return []
    return [
        shape
        for shape, _ in found.most_common()
        if shape != best and "{app}" in shape and shape in deploying
    ]


def _is_pinned(folder: KustomizedFolder, tree: Mapping[str, KustomizedFolder]) -> bool:
    """Say whether a folder, or one that it is built on, pins images."""
    seen: set[str] = set()
    waiting = [folder.path]
    while waiting:
        one = tree.get(waiting.pop())
        if one is None or one.path in seen:
            continue
        if one.images:
            return True
        seen.add(one.path)
        waiting += one.bases
    return False


def kind_of(name: str) -> EnvironmentKind | None:
    """Return what an environment called `name` is for: `prod-eu` is a prod; None: not known."""
    words = [word for word in _words(name) if word in _KIND]
    if name.lower().replace("-", "") in _KIND:
        return _KIND[name.lower().replace("-", "")]
    return _KIND[words[0]] if len(set(words)) == 1 else None


def word_of(name: str) -> str | None:
    """Return the one word of `name` that is an environment's: `shop-prod` is about prod."""
    words = {word for word in _words(name) if word in _KIND}
    return words.pop() if len(words) == 1 else None


def _words(name: str) -> list[str]:
    """Return the words of a name; `dev2` is the second dev."""
    return [word.rstrip("0123456789") for word in re.split(r"[-_.]", name.lower())]


def render_config(layout: Layout) -> str:
    """Return the `gitops.yaml` that says what `layout` found, with the policy of the sample."""
    lines = [
        "# Written by `gitops init` from the folders of this repository: read it, then commit it.",
        "# What each key means: `gitops schema`, and docs/reference/config.md of gitops.",
        "apiVersion: gitops/v1",
        "kind: Config",
        "environments: # in the order in which images go through them",
    ]
    for row in layout.environments:
        lines += [
            f"  - name: {plain_or_quoted(row.name)}",
            f"    overlay: {_overlay_text(row)}",
        ]
        lines += _policy(row)
    if layout.ignored:
        names = ", ".join(quote(_UNWRITABLE.sub("*", path)) for path in layout.ignored)
        lines.append(f"ignore: [{names}] # no branch can be named after such an app")
    return "\n".join(lines) + "\n"


class _Place(Struct, frozen=True):
    """A folder whose path names an environment at `index`."""

    parts: tuple[str, ...]
    index: int
    name: str
    kind: EnvironmentKind


def _places(
    folders: Sequence[KustomizedFolder], named: Mapping[str, str]
) -> dict[str, list[_Place]]:
    children: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        parts = folder.path.split("/")
        for index, part in enumerate(parts):
            children["/".join(parts[:index])].add(part)

    @cache
    def holds_environments(parent: str) -> bool:
        alike = sum(kind_of(name) is not None for name in children[parent])
        return alike > 1 and alike * 2 > len(children[parent])

    found: dict[str, list[_Place]] = defaultdict(list)
    for folder in folders:
        if _UNWRITABLE.search(folder.path):
            continue
        words = tuple(folder.path.split("/"))
        at = _environment_at(words, holds_environments)
        name = words[at] if at is not None else named.get(folder.path, "")
        kind = kind_of(name)
        if kind is not None and _NAME.fullmatch(name):
            found[folder.path].append(_Place(words, at if at is not None else -1, name, kind))
    return found


def _environment_at(parts: Sequence[str], holds_environments: Callable[[str], bool]) -> int | None:
    """Return which part of a path is an environment's name: a plain word, else one like `eu-prod`.

    One like that counts where it stands beside others, so that an app called `test-runner` is none.
    """
    for index in reversed(range(len(parts))):
        if parts[index].lower().replace("-", "") in _KIND:
            return index
    for index in reversed(range(len(parts))):
        if kind_of(parts[index]) is not None and holds_environments("/".join(parts[:index])):
            return index
    return None


def _shapes(places: Iterable[_Place]) -> dict[_Place, str]:
    """Return for each place its path with `{env}` and, where apps have folders, `{app}`."""
    every = list(dict.fromkeys(places))
    counts: Counter[str] = Counter()
    options: dict[_Place, list[tuple[int, str]]] = {}
    apps: dict[str, set[str]] = defaultdict(set)
    for place in every:
        options[place] = list(_options(place))
        for at, shape in options[place]:
            counts[shape] += 1
            apps[shape].add(place.parts[at])
    shapes = {}
    for place in every:
        best = _plain(place)
        hinted = [(at, shape) for at, shape in options[place] if _is_app(place, at)]
        several = [(at, shape) for at, shape in options[place] if len(apps[shape]) > 1]
        for _, shape in hinted or sorted(several, key=lambda one: -counts[one[1]])[:1]:
            best = shape
        shapes[place] = best
    return shapes


def _options(place: _Place) -> Iterator[tuple[int, str]]:
    for at, part in enumerate(place.parts):
        if at == place.index or part.lower() in _GENERIC or not is_branch_part(part):
            continue
        if place.index >= 0:
            parts = [*place.parts]
            parts[place.index], parts[at] = "{env}", "{app}"
            yield at, "/".join(parts)


def _plain(place: _Place) -> str:
    parts = [*place.parts]
    if place.index >= 0:
        parts[place.index] = "{env}"
    return "/".join(parts)


def _is_app(place: _Place, at: int) -> bool:
    """Say whether a part of a path is an app's name, by what stands around it."""
    parts = place.parts
    before = parts[at - 1].lower() if at else ""
    after = parts[at + 1].lower() if at + 1 < len(parts) else ""
    if before in _APPS:
        return True
    if at + 2 == place.index and after in _OVERLAYS:
        return True
    return at == len(parts) - 1 and place.index == at - 1


def _in_order(rows: Sequence[FoundEnvironment]) -> tuple[FoundEnvironment, ...]:
    """Let a prod come after the environments of the kind before it that have the same layout."""
    done: list[FoundEnvironment] = []
    for row in rows:
        after: tuple[str, ...] = ()
        if row.kind == "prod":
            for kind in ("stage", "test", "dev"):
                before = [one for one in done if one.kind == kind]
                per_app = "{app}" in row.overlay
                after = tuple(one.name for one in before if per_app or "{app}" not in one.overlay)
                if after:
                    # The last of them: what is good for several is good for the nearest.
                    after = after[-1:]
                    break
        done.append(replace(row, after=after))
    return tuple(done)


def _with_rest(rows: tuple[FoundEnvironment, ...], folders: Sequence[KustomizedFolder]) -> Layout:
    patterns = [_pattern(one) for row in rows for one in row.patterns]
    clashing = {"ledger", *(row.name for row in rows)}
    unknown, unpinned = [], []
    ignored: dict[str, None] = {}
    bases: set[str] = set()
    for folder in folders:
        places = [found for one in patterns if (found := one.fullmatch(folder.path))]
        apps = [found[1] for found in places if found.re.groups]
        if any(app in clashing or not is_branch_part(app) for app in apps):
            ignored |= {folder.path[: found.end(1)]: None for found in places if found.re.groups}
            continue
        if places:
            bases.update(folder.bases)
        if places and folder.images == ():
            unpinned.append(folder.path)
        elif not places and folder.images:
            unknown.append(folder.path)
    strange = tuple(path or "." for path in unknown if path not in bases)
    return Layout(rows, strange, tuple(unpinned), tuple(ignored))


def overlays_among(layout: Layout, folders: Iterable[str]) -> tuple[str, ...]:
    """Return those of `folders` that are overlays of the environments."""
    patterns = [_pattern(one) for row in layout.environments for one in row.patterns]
    return tuple(
        one
        for one in folders
        if any(pattern.fullmatch(one) for pattern in patterns)
        and not any(one == path or one.startswith(f"{path}/") for path in layout.ignored)
    )


def _pattern(overlay: str) -> re.Pattern[str]:
    return re.compile("([^/]+)".join(re.escape(part) for part in overlay.split("{app}")))


def _rank(name: str) -> int:
    whole = name.lower().replace("-", "")
    words = [whole] if whole in _RANK else _words(name)
    return max((_RANK[word] for word in words if word in _RANK), default=len(_RANK))


def _overlay_text(row: FoundEnvironment) -> str:
    if row.others:
        return "[" + ", ".join(f'"{one}"' for one in row.patterns) + "]"
    return f'"{row.overlay}"' if "{" in row.overlay else plain_or_quoted(row.overlay)


def _policy(row: FoundEnvironment) -> list[str]:
    if row.kind == "local":
        return ['    accepts: ["feature/**", "fix/**"]', "    change: work-tree # by hand"]
    if row.kind in ("dev", "test"):
        return ["    accepts: [main]", "    deploy: auto # every commit of main"]
    # What was built from main can reach prod only where prod takes it from there.
    by_release = row.kind == "stage" or not row.after or kind_of(row.after[-1]) == "stage"
    lines = ['    accepts: ["release/{version}"]' if by_release else "    accepts: [main]"]
    if row.kind == "stage":
        return [*lines, "    deploy: auto # every commit of a release branch"]
    lines += ["    change: pull-request # a person approves"]
    if row.after:
        after = ", ".join(plain_or_quoted(name) for name in row.after)
        lines.append(f"    after: [{after}] # the same images were released there")
    return lines
