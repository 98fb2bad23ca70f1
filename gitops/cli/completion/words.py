"""Which words may stand where the cursor is: commands, options, and values by their kind."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

from gitops.cli.catalogue import VERBS
from gitops.cli.completion import Asked, Candidate
from gitops.cli.fast_path import verb_first
from gitops.cli.options import OptionField, arguments_of, named_options

_ROOT = ("--help", "--version", "--repo", "--branch", "--output")
_HOW = {"folder": "folders", "file": "files", "pin": "nospace"}


class Answer(NamedTuple):
    """What a shell is told.

    Attributes:
        how: `values`, `nospace` (no blank is put behind them), `folders` or `files`.
    """

    how: str
    candidates: tuple[Candidate, ...] = ()


def run(arguments: Sequence[str]) -> int:
    """Answer `gitops __complete SHELL …`; whatever goes wrong, nothing is offered.

    bash hands over the line up to the cursor and its $COMP_WORDBREAKS, the others words.
    """
    answer, current, breaks = Answer("values"), "", ""
    with suppress(Exception):
        shell, *rest = arguments
        if shell == "bash":
            words, breaks = split_line(rest[0]), rest[1]
        else:
            words = rest
        current = words[-1]
        answer = complete(words[1:])
    # bash replaces only what stands behind the last of its break characters.
    cut = max((current.rfind(one) for one in breaks if one in ":="), default=-1) + 1
    print(answer.how)
    for value, about in answer.candidates:
        if value.startswith(current) and _is_plain(value):
            print(f"{value[cut:]}\t{about}" if about else value[cut:])
    return 0


def _is_plain(value: str) -> bool:
    return value.isprintable() and not set(value) & set(" '\"\\$`")


def split_line(line: str) -> list[str]:
    """Return the words of a line that a shell reads; the last one is at the cursor, maybe empty."""
    for end in ("", "'", '"'):
        with suppress(ValueError):
            words = shlex.split(line + end)
            return [*words, ""] if not end and line[-1:].isspace() else words
    return line.split()


def complete(words: Sequence[str]) -> Answer:
    """Return what may stand in place of the last of `words`, which follow the program's name."""
    *before, current = words
    told = verb_first(before)
    if not told or told[0] not in VERBS:
        if before and not told and before[-1] in ("--repo", "--branch", "--output", "-o"):
            told = ["status", *before]  # what may stand before a command, stands behind this one
        elif current.startswith("-"):
            return Answer("values", tuple((name, "") for name in _ROOT))
        else:
            return Answer("values", tuple((name, line) for name, (_, line) in VERBS.items()))
    commands = import_module(f"gitops.cli.commands.{VERBS[told[0]][0]}").COMMANDS
    if told[0] in commands:
        return _inside(told[0], commands[told[0]], told[1:], current)
    inner = {name.split()[1]: verb for name, verb in commands.items() if name.startswith(told[0])}
    if len(told) > 1 and told[1] in inner:
        return _inside(" ".join(told[:2]), inner[told[1]], told[2:], current)
    sentences = {name: (verb.__doc__ or "").split("\n")[0] for name, verb in inner.items()}
    return Answer("values", tuple(sentences.items()))


class Before(NamedTuple):
    """What stands before the cursor.

    Attributes:
        waiting: the option whose value the next word is, None when it is no value.
    """

    arguments: tuple[str, ...]
    options: Mapping[str, str]
    waiting: OptionField | None


def _read(options: Mapping[str, OptionField], words: Sequence[str]) -> Before:
    """Read the words before the cursor."""
    arguments: list[str] = []
    given: dict[str, str] = {}
    waiting: OptionField | None = None
    for word in words:
        option, equals, value = word.partition("=")
        field = options.get(option) if word.startswith("-") else None
        if waiting is not None:
            given[waiting.name], waiting = word, None
        elif field is not None:
            given[field.name] = value
            waiting = None if field.is_flag or equals else field
        elif not word.startswith("-"):
            arguments.append(word)
    return Before(tuple(arguments), given, waiting)


def _inside(name: str, verb: Callable[..., int], words: Sequence[str], current: str) -> Answer:
    """Complete the last word of a command."""
    options = named_options(verb)
    before = _read(options, words)
    field, prefix, word = before.waiting, "", current
    if field is None and current.startswith("-"):
        option, equals, word = current.partition("=")
        if not equals:
            return Answer("values", _names(options, before.options))
        field, prefix = options.get(option), f"{option}="
        if field is None or field.is_flag:
            return Answer("values")
    if field is None:
        field = _argument_at(verb, len(before.arguments))
    if field is None:
        return Answer("values", () if current else _names(options, before.options))
    return _values(field, Asked("file", word, name, before.arguments, before.options), prefix)


def _values(field: OptionField, asked: Asked, prefix: str) -> Answer:
    """Return what may stand as the value of an option or an argument."""
    if field.choices:
        return Answer("values", tuple((f"{prefix}{one}", "") for one in field.choices))
    values = field.option.values
    if values is None:
        return Answer("values")
    if values == "command":
        return complete([*asked.arguments, asked.word])
    how = _HOW.get(values, "values")
    if how in ("folders", "files"):
        return Answer(how)
    from gitops.cli.completion.names import names_for

    found = names_for(asked._replace(values=values))
    if ":" in asked.word:
        how = "values"  # the tag is the end of it
    return Answer(how, tuple((f"{prefix}{value}", about) for value, about in found))


def _names(options: Mapping[str, OptionField], given: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return the long names of the options that may still be given."""
    shown = {
        name: field.option.help
        for name, field in options.items()
        if name.startswith("--") and (field.is_many or field.name not in given)
    }
    return (*shown.items(), ("--help", "Show how it is used."))


def _argument_at(verb: Callable[..., int], place: int) -> OptionField | None:
    """Return the argument that stands at `place`; the last one may stand for several."""
    found = arguments_of(verb)
    if place < len(found):
        return found[place]
    return found[-1] if found and found[-1].is_many else None
