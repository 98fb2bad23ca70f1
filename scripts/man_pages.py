"""Makes the manual pages (`man gitops-rollback`) of what the commands say of themselves.

scripts/docs writes them to docs/man/, and the wheel installs them to share/man/man1. The language
is man(7) of groff.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import click

from gitops.cli.catalogue import EXAMPLES, SECTIONS, VERBS

_EXITS = "See EXIT STATUS of gitops(1)."


def man_pages(
    group: click.Group,
    commands: Iterable[tuple[str, click.Command]],
    exit_codes: Mapping[int, str],
    variables: Mapping[str, str],
) -> dict[str, str]:
    """Return file name -> page: `gitops.1`, and one for each command.

    Args:
        group: the root of the command line.
        commands: (words, command) of each, as `release cut`.
        exit_codes: code -> meaning, and variables: name -> meaning in Markdown.
    """
    pages = {"gitops.1": _root(group, exit_codes, variables)}
    for words, command in commands:
        pages[f"gitops-{words.replace(' ', '-')}.1"] = _page(words, command)
    return pages


def _root(group: click.Group, exit_codes: Mapping[int, str], variables: Mapping[str, str]) -> str:
    lines = [*_head("gitops", group.help or ""), r".B gitops", r"\fICOMMAND\fR [\fIARGUMENT\fR...]"]
    for section, names in SECTIONS.items():
        lines.append(f".SH {section.upper()}")
        for name in names:
            lines += _entry(f"\\fBgitops {_escaped(name)}\\fR", VERBS[name][1])
    lines.append(".SH OPTIONS")
    lines += _options(group)
    lines.append(".SH EXIT STATUS")
    for code, meaning in sorted(exit_codes.items()):
        lines += _entry(f"\\fB{code}\\fR", meaning)
    lines.append(".SH ENVIRONMENT")
    for name, meaning in variables.items():
        lines += _entry(f"\\fB{name}\\fR", re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", meaning))
    names = [name for name in VERBS if not any(words.startswith(f"{name} ") for words in EXAMPLES)]
    lines += [".SH SEE ALSO", ", ".join(f"\\fBgitops\\-{_escaped(name)}\\fR(1)" for name in names)]
    return "\n".join(lines) + "\n"


def _page(words: str, command: click.Command) -> str:
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    context = click.Context(command, info_name=f"gitops {words}")
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = [
        *_head(f"gitops-{words.replace(' ', '-')}", paragraphs[0]),
        f".B gitops {_escaped(words)}",
        _escaped(pieces),
        ".SH DESCRIPTION",
    ]
    for paragraph in paragraphs:
        lines += [".PP", _text(paragraph)]
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    if arguments:
        lines.append(".SH ARGUMENTS")
    for one in arguments:
        name = (one.metavar or one.name or "").strip("[]")
        lines += _entry(f"\\fI{_escaped(name)}\\fR", getattr(one, "help", None) or "")
    lines.append(".SH OPTIONS")
    lines += _options(command)
    lines.append(".SH EXAMPLES")
    for example in EXAMPLES[words]:
        lines += [".PP", ".nf", f"\\&    {_escaped(example)}", ".fi"]
    return "\n".join(
        [*lines, ".SH EXIT STATUS", _text(_EXITS), ".SH SEE ALSO", r"\fBgitops\fR(1)", ""]
    )


def _head(name: str, line: str) -> list[str]:
    title = name.upper().replace("-", "\\-")
    said = _text(line).rstrip(".")
    return [f'.TH "{title}" 1', ".SH NAME", f"{_escaped(name)} \\- {said}", ".SH SYNOPSIS"]


def _options(command: click.Command) -> Iterator[str]:
    for one in command.params:
        if not isinstance(one, click.Option) or one.hidden:
            continue
        names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag else f" \\fI{_escaped(_value(one))}\\fR"
        default = getattr(one.default, "value", one.default)
        told = (
            f" Default: {default}." if isinstance(default, (str, int)) and not one.is_flag else ""
        )
        yield from _entry(f"{names}{value}", f"{one.help or ''}{told}")
    yield from _entry("\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show how it is used.")


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(getattr(one, "value", one)) for one in option.type.choices)
    return option.type.name.upper()


def _entry(term: str, text: str) -> list[str]:
    return [".TP", term, _text(text)]


def _text(text: str) -> str:
    """Return prose on one line; a line that began with a dot or a quote would be a request."""
    line = _escaped(" ".join(text.replace("`", "").split()))
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
