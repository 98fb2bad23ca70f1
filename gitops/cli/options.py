"""Options of the command line, each defined once: typer and the fast path read the same table.

A verb's parameters are its arguments and *option groups*: frozen values whose annotations say
which option fills which field. `flat` spreads the groups for typer; `named_options` is the table by
name. Annotations are real objects here and in gitops/cli/commands (no postponed evaluation), since
a plain deploy reads them without `typing.get_type_hints`. Nothing here loads typer before it must.
"""

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn, dataclass_transform

from gitops.cli.render.annotations import Annotations

Values = Literal[
    "environment", "app", "image", "pin", "release", "branch", "command", "folder", "file"
]
"""What stands for a value: `image` is a name, `pin` a name with the tag that it gets."""


class Option:
    """One option: its names, and what help says of it.

    Attributes:
        names: as typed; `--hold/--no-hold` is on and off.
        help: a sentence.
        metavar: what stands for the value in help.
        envvar: the variable that is read where the option is not given.
        least: the smallest number that it takes.
        values: what completion offers for the value; None: nothing.
    """

    # A plain class: writing the methods of a struct is felt by a plain deploy.
    def __init__(
        self,
        *names: str,
        help: str,
        metavar: str | None = None,
        envvar: str | None = None,
        least: int | None = None,
        values: "Values | None" = None,
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.envvar = envvar
        self.least = least
        self.values = values


class Argument:
    """One argument: what help calls it, says of it, and what completion offers for it."""

    def __init__(self, metavar: str, help: str, values: "Values | None" = None) -> None:
        self.metavar = metavar
        self.help = help
        self.values = values


@dataclass_transform(kw_only_default=True, frozen_default=True)
class OptionGroup:
    """Options that belong together: each field is annotated with its `Option`.

    Frozen, and equal where all fields are. Made by keyword; a field's value in the class is its
    default. Written by hand because msgspec takes a third of the time of `gitops --help` to load.
    """

    def __init__(self, **values: Any) -> None:
        fields = type(self).__annotations__
        if not values.keys() <= fields.keys() or not all(
            hasattr(self, one) or one in values for one in fields
        ):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(fields)}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in type(self).__annotations__
        )

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in type(self).__annotations__))


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


Environment = Annotated[str, Argument("ENV", "The environment.", "environment")]
Repo = Annotated[
    str,
    Option(
        "--repo",
        metavar="PATH|URL",
        envvar="GITOPS_REPO",
        help="The manifest repository.",
        values="folder",
    ),
]
Branch = Annotated[
    str | None,
    Option(
        "--branch",
        help="The top-level branch, which policy is read from; default: what gitops.yaml says.",
        values="branch",
    ),
]
Output = Annotated[Format, Option("-o", "--output", help="text or json.")]
Marks = Annotated[
    Annotations,
    Option("--annotations", help="github: print marks for the page of a CI job, too."),
]
DryRun = Annotated[bool, Option("--dry-run", help="Plan, show the difference, write nothing.")]
Environments = Annotated[
    tuple[str, ...],
    Argument(
        "ENV...",
        "Environments or groups; APP/ENV for one app of it.",
        "environment",
    ),
]
SomeEnvironments = Annotated[
    tuple[str, ...],
    Argument(
        "[ENV...]",
        "Environments or groups; APP/ENV for one app of it; default: all of them.",
        "environment",
    ),
]
App = Annotated[
    str | None,
    Option("--app", help="The app, where each app has overlays of its own.", values="app"),
]
Apps = Annotated[
    tuple[str, ...],
    Option(
        "--app",
        metavar="APP",
        help="An app, where each has overlays of its own; may be given several times; default: "
        "all of them.",
        values="app",
    ),
]
Override = Annotated[
    str | None, Option("--override", metavar="REASON", help="Pass policy; the reason is recorded.")
]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]
Reason = Annotated[
    str | None, Option("--reason", metavar="TEXT", help="Why; goes into the commit.")
]
PushTimeout = Annotated[
    str,
    Option(
        "--push-timeout",
        metavar="DURATION",
        help="How long lost races and an unreachable server are tried again.",
    ),
]
Soak = Annotated[
    str | None,
    Option(
        "--soak",
        metavar="DURATION",
        help="How long it must stay Healthy; default: `wait.soak` in gitops.yaml, 5m for stage, "
        "prod and real databases, else 0.",
    ),
]
Timeout = Annotated[
    str | None,
    Option(
        "--timeout",
        metavar="DURATION",
        help="How long it may take to become Healthy, the soak apart; default: `wait.timeout` in "
        "gitops.yaml, else 15m.",
    ),
]
Record = Annotated[bool, Option("--record/--no-record", help="Write the verdict to the ledger.")]


class RepositoryOptions(OptionGroup):
    """Which repository, and how the result is printed."""

    repo: Repo = "."
    branch: Branch = None
    output: Output = Format.text


class WriteOptions(OptionGroup):
    """How a write goes."""

    dry_run: DryRun = False
    push_timeout: PushTimeout = "60s"
    verbose: Annotated[
        bool,
        Option("-v", "--verbose", help="Tell on standard error what else goes on: lost races."),
    ] = False
    audit: Annotated[
        bool,
        Option(
            "--audit",
            help="Print one line of JSON on standard error for what passed policy: overrides, "
            "claims of a proposal that do not count, rollbacks past an approval.",
        ),
    ] = False
    summary: Annotated[
        str | None,
        Option(
            "--summary",
            metavar="FILE",
            help="Append what was done, or why not, as Markdown; default: GITHUB_STEP_SUMMARY.",
            values="file",
        ),
    ] = None
    outputs: Annotated[
        str | None,
        Option(
            "--outputs",
            metavar="FILE",
            help="Append values for later steps, one NAME=VALUE a line: GITOPS_OUTCOME, "
            "GITOPS_CHANGED, GITOPS_COMMIT, GITOPS_BRANCH, GITOPS_ENVIRONMENTS, GITOPS_SKIPPED, "
            "GITOPS_PROPOSAL, with --wait GITOPS_VERDICT.",
            values="file",
        ),
    ] = None


class FollowOptions(OptionGroup):
    """Whether Argo CD is followed after a write, and how."""

    wait: Annotated[
        bool,
        Option(
            "--wait/--no-wait",
            help="Then follow Argo CD as `gitops wait` does; its exit code, and its answer with "
            "`wait` in the JSON.",
        ),
    ] = False
    soak: Soak = None
    timeout: Timeout = None
    record: Record = True


GoBack = Annotated[
    bool,
    Option(
        "--rollback",
        help="With --wait: when the release turns out Degraded, roll it back to the last stable "
        "one, with a hold; never when it was refused, timed out or is not known.",
    ),
]


class OptionField:
    """Where the value of an option, or of an argument, goes.

    Attributes:
        name: the field of the group, or the parameter of the verb.
        kind: the type of its value: bool, str, int, `str | None`, `tuple[str, ...]` or an enum.
        option: what help says of it.
        is_flag: it takes no value.
        is_many: it may be given several times.
        choices: the words that it takes; none where it takes any.
    """

    def __init__(self, name: str, kind: Any, option: "Option | Argument") -> None:
        self.name = name
        self.kind = kind
        self.option = option
        self.is_flag = kind is bool
        self.is_many = getattr(kind, "__origin__", None) is tuple
        self.choices: tuple[str, ...] = tuple(kind) if isinstance(kind, type(StrEnum)) else ()


def option_groups(verb: Callable[..., int]) -> Mapping[str, type[OptionGroup]]:
    """Return the option groups of a verb by the name of the parameter, in order."""
    return {
        name: kind
        for name, kind in verb.__annotations__.items()
        if isinstance(kind, type) and issubclass(kind, OptionGroup)
    }


def grouped(verb: Callable[..., int], values: Mapping[str, Any]) -> dict[str, OptionGroup]:
    """Return the option groups of a verb with `values` (field -> value); the rest by default."""
    return {
        name: group(**{one: values[one] for one in group.__annotations__ if one in values})
        for name, group in option_groups(verb).items()
    }


def named_options(verb: Callable[..., int]) -> Mapping[str, OptionField]:
    """Return every option of a verb by each of its names, on and off apart."""
    found = [*verb.__annotations__.items()]
    for group in option_groups(verb).values():
        found += group.__annotations__.items()
    table: dict[str, OptionField] = {}
    for name, kind in found:
        option = next(iter(getattr(kind, "__metadata__", ())), None)
        if isinstance(option, Option):
            field = OptionField(name, kind.__origin__, option)
            table |= {one: field for names in option.names for one in names.split("/")}
    return table


def arguments_of(verb: Callable[..., int]) -> list[OptionField]:
    """Return the arguments of a verb, in order."""
    return [
        OptionField(name, kind.__origin__, kind.__metadata__[0])
        for name, kind in verb.__annotations__.items()
        if isinstance(next(iter(getattr(kind, "__metadata__", ())), None), Argument)
    ]


def flat(verb: Callable[..., int]) -> Callable[..., int]:
    """Return `verb` with every option as a parameter of its own, annotated as typer reads it."""
    import inspect

    groups = option_groups(verb)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(verb).parameters.values():
        group = groups.get(parameter.name)
        fields = group.__annotations__ if group else {parameter.name: parameter.annotation}
        defaults = vars(group) if group else {parameter.name: parameter.default}
        parameters += (
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=kind,
                default=defaults.get(name, inspect.Parameter.empty),
            )
            for name, kind in fields.items()
        )
    parameters.sort(key=lambda one: one.name == "output")  # help ends with how it is printed
    many = {one.name for one in parameters if _is_tuple(one)}

    def call(**values: Any) -> int:
        values |= {name: tuple(values[name] or ()) for name in many}
        for name, group in groups.items():
            values[name] = group(**{one: values.pop(one) for one in group.__annotations__})
        return verb(**values)

    shown = [
        one.replace(
            annotation=_for_typer(one),
            default=None if one.name in many and one.default == () else one.default,
        )
        for one in parameters
    ]
    vars(call)["__signature__"] = inspect.Signature(shown)
    call.__annotations__ = {one.name: one.annotation for one in shown}
    call.__name__, call.__doc__ = verb.__name__, verb.__doc__
    return call


def _is_tuple(parameter: Any) -> bool:
    return getattr(parameter.annotation.__origin__, "__origin__", None) is tuple


def _for_typer(parameter: Any) -> Any:
    """Return the annotation of one parameter in typer's words."""
    import typer

    (told,) = parameter.annotation.__metadata__
    kind = parameter.annotation.__origin__
    if _is_tuple(parameter):
        kind = list[str] | None if parameter.default == () else list[str]
    if isinstance(told, Argument):
        return Annotated[kind, typer.Argument(metavar=told.metavar, help=told.help)]
    return Annotated[
        kind,
        typer.Option(
            *told.names, metavar=told.metavar, envvar=told.envvar, min=told.least, help=told.help
        ),
    ]


def may_ask(output: Format, *unasked: bool) -> bool:
    """Say whether a person at a terminal can be asked; one that is true of `unasked`: no."""
    return not any(unasked) and output is Format.text and sys.stdin.isatty() and sys.stderr.isatty()
