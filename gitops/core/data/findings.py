"""What `gitops data check` finds, as values, and what an overlay's manifests are asked with."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gitops.core.data.classes import Classes
from gitops.core.data.manifests import BuiltObject, Path, told_path
from gitops.core.environments.environment import Environment

DataRule = Literal["class", "unmarked", "clear", "job", "egress", "protection", "unread"]
DataLevel = Literal["error", "warning"]


class DataFinding(Struct, frozen=True):
    """One thing that is wrong with the way to a database.

    Attributes:
        rule: class (an environment reaches the other class), unmarked (nobody says of which class
            it is), clear (a secret that anybody can read), job (it seeds or resets real data),
            egress (nothing bounds where pods may go), protection (nobody says what keeps real data
            safe), unread (nobody could look).
        message: without the environment's name; it never holds a value of a Secret.
        kind, name: of the object that it stands in; "" where it is about none.
        field: the name of the setting or the field that it stands at, "" for none.
        needles: texts that stand in the sources there, the best first. They are looked for, and
            never shown.
        space: a namespace that it is about; it counts where only the other class has that one.
    """

    rule: DataRule
    level: DataLevel
    message: str
    kind: str = ""
    name: str = ""
    field: str = ""
    needles: tuple[str, ...] = ()
    space: str = ""


class Overlaid(Struct, frozen=True):
    """The manifests of one overlay, and what its environment says of data."""

    environment: Environment
    manifests: tuple[BuiltObject, ...]
    classes: Classes

    @property
    def own(self) -> str:
        """The class of its environment, "" where it has none."""
        return self.environment.database or ""


def finding(
    one: BuiltObject,
    path: Path,
    message: str,
    *,
    rule: DataRule = "class",
    level: DataLevel = "error",
    needles: tuple[str, ...] = (),
    field: str = "",
    space: str = "",
) -> DataFinding:
    """Return a finding at `path` of an object; the message gets the place behind it.

    The other arguments are the attributes of `DataFinding`.
    """
    where = told_path(one.value, path)
    told = f"{message}, in {one.title}" + (f" ({where})" if where else "")
    field = field or next((step for step in reversed(path) if isinstance(step, str)), "")
    return DataFinding(rule, level, told, one.kind, one.name, field, needles, space)
