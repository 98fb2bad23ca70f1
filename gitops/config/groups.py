"""`groups:` of `gitops.yaml`: names for several environments; keys, rules, and what they become."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Key, ListOf, Problems, Table, Text, Value
from gitops.core.environments.environment import Group


def group_table(name: Text) -> Table:
    """Return the shape of a row of `groups:`; `name` is that of an environment, and of a group."""
    return Table(
        {
            "name": Key(name, "What the commands call them all.", required=True),
            "environments": Key(ListOf(name, least=1), "Which they are.", required=True),
        }
    )


def check_groups(
    rows: Sequence[Value], environments: Sequence[Value], names: Sequence[str], problems: Problems
) -> None:
    """A word that stands for an environment must stand for nothing else.

    A group has a proposal branch of its own, as an environment has, so their names must differ.
    `names` are those of `environments`.
    """
    problems.add_repeated(rows, "name", "a group {}")
    earlier = {item.text: row.get("name") for row in environments for item in row.list("formerly")}
    for row in rows:
        name = row.keys.get("name")
        if name is not None and name.text in names:
            problems.add(name.place, name.path, f"an environment is called {name.text} already")
        elif name is not None and name.text in earlier:
            what = f"{earlier[name.text]} was called {name.text}"
            problems.add(name.place, name.path, what)
        problems.add_no_environment(row.list("environments"), names)


def written_out(row: Value, groups: Sequence[Group], order: Sequence[str]) -> tuple[str, ...]:
    """Return the `environments` of a row, those of its groups among them, in `order`."""
    inside = {group.name: group.environments for group in groups}
    words = row.list_texts("environments")
    named = {name for word in words for name in inside.get(word, (word,))}
    return tuple(name for name in order if name in named)


def make_group(row: Value, order: Sequence[str]) -> Group:
    """Return the value of a row without problems; `order` is that of promotion."""
    return Group(row.get("name"), written_out(row, (), order))
