"""What a change would do, as the comment of a pull request.

The first line is a mark that a CI job finds its own comment by, to replace it. Whatever comes from
people and files stands in code spans and blocks (`core.text.markdown`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitops.core.compare.comparison import Comparison, EnvironmentDifference, Rendering
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.text.markdown import bullets, code, table
from gitops.core.text.plain import count, one_line, shown_paths

MARK = "<!-- gitops validate -->"
LONGEST = 60_000
"""Characters of a comment; GitHub takes 65,536."""

_MOST_IMAGES = 100
_MOST_PATHS = 20
_MOST_POLICIES = 30
_MOST_PROBLEMS = 30


def render_comment(comparison: Comparison, problems: Sequence[tuple[str, str, str]]) -> str:
    """Return the Markdown of a comment, ending in a newline.

    Args:
        problems: (level, place, message) of what is wrong and was not before.
    """
    parts = [MARK, _head(comparison)]
    if any(one.images for one in comparison.environments):
        parts.append(_images(comparison.environments))
    policies = [text for one in comparison.environments for text in _policy(one)]
    parts += policies[:_MOST_POLICIES]
    if len(policies) > _MOST_POLICIES:
        parts.append(f"Policy of {len(policies) - _MOST_POLICIES} more environments is not shown.")
    if problems:
        parts.append(_problems(problems))
    parts.append(_files(comparison.environments))
    parts += [bullets([code(warning) for warning in comparison.warnings])]
    text = _cut("\n\n".join(part for part in parts if part) + "\n")
    for one in comparison.environments:
        text += _rendered(one, LONGEST - len(text))
    return text


def _cut(text: str) -> str:
    """Return `text` no longer than a comment may be; every line of it stands by itself."""
    if len(text) <= LONGEST:
        return text
    note = "\n\nThe rest has no room in a comment.\n"
    return text[: LONGEST - len(note)].rpartition("\n")[0] + note


def _head(comparison: Comparison) -> str:
    against, tip = comparison.against[:7], comparison.tip[:7]
    where = f"{code(tip)} against {code(against)}"
    if not comparison.environments:
        return f"**gitops:** {where} changes no environment."
    labels = ", ".join(
        code(one.label) + _marks(one.status, "protected" if one.protected else "changed")
        for one in comparison.environments
    )
    return f"**gitops:** {where} changes {labels}."


def _marks(*words: str) -> str:
    told = [word for word in words if word != "changed"]
    return f" ({', '.join(told)})" if told else ""


def _images(environments: Sequence[EnvironmentDifference]) -> str:
    rows = [
        (code(one.label), code(image.image), _value(image.before), _value(image.after))
        for one in environments
        for image in one.images
    ]
    text = table(("environment", "image", "before", "after"), rows[:_MOST_IMAGES])
    more = len(rows) - _MOST_IMAGES
    return f"{text}\n\nand {count(more, 'image')} more" if more > 0 else text


def _value(value: ImageValue | None) -> str:
    return "-" if value is None else code(describe_value(value))


def _policy(one: EnvironmentDifference) -> Iterator[str]:
    if not one.judged:
        return
    if not one.policy:
        yield f"Policy lets these images into {code(one.label)}."
        return
    lines = [
        f"{code(result.reason)}{' (overridden)' if result.overridden else ''}"
        for result in one.policy[:_MOST_PROBLEMS]
    ]
    verb = "keeps them out of" if one.refused else "was overridden for"
    yield f"**Policy {verb} {code(one.label)}:**\n\n{bullets(lines)}"


def _problems(problems: Sequence[tuple[str, str, str]]) -> str:
    shown = [
        f"{level}: {code(place)} {code(message)}"
        for level, place, message in problems[:_MOST_PROBLEMS]
    ]
    more = len(problems) - len(shown)
    if more > 0:
        shown.append(f"and {more} more")
    return f"**{count(len(problems), 'problem')}:**\n\n{bullets(shown)}"


def _files(environments: Sequence[EnvironmentDifference]) -> str:
    """Return which other changed files belong to which environments."""
    owners: dict[str, list[str]] = {}
    for one in environments:
        for touch in one.files:
            owners.setdefault(touch.path, []).append(one.label)
    paths, more = shown_paths(list(owners), _MOST_PATHS)
    if not paths:
        return ""
    rows = [(code(path), ", ".join(map(code, dict.fromkeys(owners[path])))) for path in paths]
    text = table(("file", "belongs to"), rows)
    return f"{text}\n\nand {count(more, 'file')} more" if more else text


def _rendered(one: EnvironmentDifference, room: int) -> str:
    rendering = one.rendering
    if rendering is None:
        return ""
    if rendering.state == "same":
        return _fit(f"\n{code(one.label)} builds the same manifests as before.\n", room)
    if rendering.state != "changed":
        verb = "does not build" if rendering.state == "failed" else "was not rendered"
        text = f"\n{code(one.label)} {verb}: {code(rendering.problem or '')}\n"
        return _fit(text, room)
    return _details(one.label, rendering, room)


def _details(label: str, rendering: Rendering, room: int) -> str:
    """Return the difference folded away, as much of it as fits."""
    head = (
        f"\n<details><summary>{count(len(rendering.objects), 'object')} of "
        f"<code>{_escaped(label)}</code> as built</summary>\n\n"
    )
    tail = "\n\n</details>\n"
    left = room - len(head) - len(tail) - 200
    lines: list[str] = []
    cut = sum(one.cut for one in rendering.objects)
    for one in rendering.objects:
        for text in (f"{one.kind} {one.name}", *one.lines):
            left -= len(text) + 1
            if left > 0:
                lines.append(text)
            else:
                cut += 1
    if not lines:
        return _fit(f"\nThe manifests of {code(label)} change too; there is no room here.\n", room)
    more = f"\n\n{count(cut, 'line')} more not shown" if cut else ""
    return f"{head}{_block(lines)}{more}{tail}"


def _block(lines: Sequence[str]) -> str:
    """Return lines of a diff as a block; their indent counts, so they are not made one line each.

    `core.compare.manifest_diff` has taken out what a page would obey.
    """
    runs = [len(run) for line in lines for run in re.findall("`+", line)]
    fence = "`" * max(3, max(runs, default=0) + 1)
    return "\n".join([f"{fence}diff", *lines, fence])


def _fit(text: str, room: int) -> str:
    return text if len(text) <= room else ""


def _escaped(text: str) -> str:
    """Return `text` as one line of HTML; a run of backticks or a `[` there means nothing."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
