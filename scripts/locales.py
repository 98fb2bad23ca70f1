"""Texts of the page and their translations. Run by scripts/locales; see there.

A text is whatever stands in `_("…")` or `N_("…")` of a template or a module of the server. Its
English is the text itself. A catalogue (`gitops.po`) keeps the order of the sources; `gitops.mo` is
what Python reads, made from it by the description of GNU gettext ("The Format of GNU MO Files").
"""

from __future__ import annotations

import ast
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "gitops" / "server"
LOCALES = SERVER / "pages" / "locales"
HEADER = (
    "Project-Id-Version: gitops\\n"
    "MIME-Version: 1.0\\n"
    "Content-Type: text/plain; charset=UTF-8\\n"
    "Content-Transfer-Encoding: 8bit\\n"
    "Plural-Forms: nplurals=1; plural=0;\\n"
)
_ENTRY = re.compile(r'^msgid "(.*)"\nmsgstr "(.*)"$', re.MULTILINE)


def main(arguments: Sequence[str]) -> int:
    """Write the catalogues, or say what is stale; return the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    texts = list(dict.fromkeys(all_texts()))
    stale = []
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/gitops.po")):
        known = read_catalogue(path.read_text(encoding="utf-8"))
        missing = [text for text in texts if not known.get(text)]
        for text in missing:
            print(f"{path.relative_to(ROOT)}: not translated: {text}", file=sys.stderr)
        content = render_catalogue(texts, known)
        compiled = compile_catalogue(read_catalogue(content))
        stale += missing
        for place, wanted in ((path, content.encode()), (path.with_suffix(".mo"), compiled)):
            if not place.exists() or place.read_bytes() != wanted:
                if check:
                    stale.append(str(place.relative_to(ROOT)))
                    print(f"{stale[-1]} is stale: run scripts/locales", file=sys.stderr)
                else:
                    place.write_bytes(wanted)
    return int(bool(stale)) if check else 0


def all_texts() -> Iterator[str]:
    """Yield every text that is to be translated, in the order of its sources."""
    templates = Environment(extensions=["jinja2.ext.i18n"])
    for path in sorted(SERVER.rglob("*.html")):
        for _line, _function, message in templates.extract_translations(path.read_text("utf-8")):
            yield from [message] if isinstance(message, str) else filter(None, message)
    for path in sorted(SERVER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("_", "N_")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                yield node.args[0].value


def read_catalogue(content: str) -> dict[str, str]:
    """Return text -> translation of a catalogue, without its header."""
    found = {_plain(one): _plain(other) for one, other in _ENTRY.findall(content)}
    return {text: told for text, told in found.items() if text}


def render_catalogue(texts: Iterable[str], known: Mapping[str, str]) -> str:
    """Return the catalogue with exactly `texts`."""
    entries = [f'msgid ""\nmsgstr "{HEADER}"\n']
    entries += [
        f'msgid "{_quoted(one)}"\nmsgstr "{_quoted(known.get(one, ""))}"\n' for one in texts
    ]
    return "\n".join(entries)


def compile_catalogue(known: Mapping[str, str]) -> bytes:
    """Return the compiled form: both sides sorted by text, with tables of lengths and offsets."""
    pairs = {"": _plain(HEADER)} | {text: told for text, told in known.items() if told}
    ordered = sorted((one.encode(), other.encode()) for one, other in pairs.items())
    number = len(ordered)
    start = 28 + 16 * number
    tables, content = b"", b""
    for side in (0, 1):
        for pair in ordered:
            tables += struct.pack("<II", len(pair[side]), start + len(content))
            content += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, number, 28, 28 + 8 * number, 0, start)
    return head + tables + content


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
