"""Edits of `gitops.yaml` that keep everybody's comments: the one door to ruamel.yaml.

The whole file is written anew, as it is indented there; a comment that would get lost refuses the
edit. Spaces that only a person's eye had a use for may change (docs/decisions/0135): the face shows
the difference.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from gitops.core.text.plain import one_line
from gitops.errors import NotFound, Refused, UsageError

_NAMES = ("name", "match", "context", "class", "channel")
"""What an entry of a list is called by."""
_CALLED = {
    **dict.fromkeys(("environments", "groups", "images", "freeze", "jobs", "alerts"), "name"),
    **{"branches": "match", "notify": "channel", "databases": "class", "clusters": "context"},
}
"""Top-level list -> what its entries are called by."""


class ConfigEditor:
    """Edits the text of one file; nothing is written to disk here."""

    def __init__(self, content: bytes) -> None:
        self._bom = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        try:
            self._text = content[len(self._bom) :].decode()
        except UnicodeDecodeError:
            raise Refused("gitops.yaml is no UTF-8, so nothing can be set in it") from None
        self._newline = "\r\n" if "\r\n" in self._text else "\n"
        self._yaml = _reader(self._text)
        self._root: Any = self._loaded(self._text.replace("\r\n", "\n"))

    def set(self, path: Sequence[str], value: str) -> bytes:
        """Return the text with `value`, which is YAML, at `path`. Raises UsageError, NotFound."""
        made = self._parsed(value)
        parent, key = self._parent(path, make=True)
        there = parent[key] if _has(parent, key) else None
        if _has(parent, key) and _plain(there) == _plain(made) and type(there) is type(made):
            return self._bom + self._text.encode()
        before = _comments(self._text)
        if _has(parent, key):
            parent[key] = made
        elif isinstance(parent, list):
            parent.append(made)
        else:
            parent.insert(_place_for(parent), key, made)
        return self._written(before)

    def unset(self, path: Sequence[str]) -> bytes:
        """Return the text without what stands at `path`. Raises NotFound."""
        parent, key = self._parent(path, make=False)
        before = _comments(self._text)
        gone = _comments(self._dumped(parent[key]))
        del parent[key]
        return self._written([one for one in before if one not in gone], strict=False)

    def add(self, key: str, value: str, place: int) -> bytes:
        """Return the text with a new top-level key at a place among them."""
        before = _comments(self._text)
        self._root.insert(place, key, self._parsed(value))
        return self._written(before)

    def has(self, key: str) -> bool:
        """Say whether there is a top-level key."""
        return key in self._root

    def _loaded(self, text: str) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            root = self._yaml.load(text)
        except (YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
            raise Refused(
                f"gitops.yaml{where} is no YAML, so nothing can be set in it",
                hint="`gitops validate` says what is wrong",
            ) from None
        if not isinstance(root, dict):
            raise Refused("gitops.yaml is no mapping, so nothing can be set in it")
        return root

    def _parsed(self, value: str) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            made = _reader("").load(value)
        except YAMLError:
            raise UsageError(
                f"{one_line(value, 60)!r} is no YAML", hint="quote it: '\"*.example.com\"'"
            ) from None
        return made if made is not None else value

    def _parent(self, path: Sequence[str], *, make: bool) -> tuple[Any, Any]:
        """Return what holds the last word of `path`, and how it is called there."""
        place: Any = self._root
        for number, word in enumerate(path[:-1]):
            so_far = path[: number + 1]
            try:
                place = _step(place, word, so_far)
            except NotFound:
                if not make or (isinstance(place, list) and word.isdecimal()):
                    raise
                place = self._made(place, word, _CALLED.get(path[0], "name"))
        if isinstance(place, list):
            key = _index(place, path[-1])
            if key is None and make and path[-1] == str(len(place)):
                key = len(place)
            if key is None:
                raise _missing(path, place)
            return place, key
        if not isinstance(place, dict):
            raise UsageError(f"{'.'.join(path[:-1])} is a value, and has no keys")
        if not make and path[-1] not in place:
            raise _missing(path, place)
        return place, path[-1]

    def _made(self, place: Any, word: str, called: str) -> Any:
        """Put an entry, a list or a mapping that `word` calls into `place`, and return it."""
        from ruamel.yaml.comments import CommentedMap, CommentedSeq

        if isinstance(place, list):
            place.append(CommentedMap({called: word}))
            return place[-1]
        made = CommentedSeq() if place is self._root and word in _CALLED else CommentedMap()
        place.insert(_place_for(place), word, made)
        return made

    def _dumped(self, value: Any) -> str:
        target = io.StringIO()
        self._yaml.dump(value, target)
        return target.getvalue()

    def _written(self, comments: Sequence[str], *, strict: bool = True) -> bytes:
        text = self._dumped(self._root)
        lost = [one for one in comments if one not in _comments(text)]
        if lost and strict:
            raise Refused(
                f"this edit would lose a comment: {one_line(lost[0], 80)}",
                hint="edit gitops.yaml by hand",
            )
        return self._bom + text.replace("\n", self._newline).encode()


def _reader(text: str) -> Any:
    """Return a ruamel.yaml that writes lists as they are indented in `text`."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    found = re.search(r"^([A-Za-z]\w*):[^\n]*\n(?:\s*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE)
    offset = len(found[2]) if found is not None else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _step(place: Any, word: str, path: Sequence[str]) -> Any:
    if isinstance(place, dict) and word in place:
        return place[word]
    if isinstance(place, list) and (index := _index(place, word)) is not None:
        return place[index]
    raise _missing(path, place)


def _index(place: Sequence[Any], word: str) -> int | None:
    """Return where the entry is that a word calls: by its name, else by its number from 0."""
    for number, one in enumerate(place):
        if isinstance(one, dict) and word in [str(one[key]) for key in _NAMES if key in one]:
            return number
        if isinstance(one, str) and one == word:
            return number
    return int(word) if word.isdecimal() and int(word) < len(place) else None


def _has(parent: Any, key: Any) -> bool:
    return key in parent if isinstance(parent, dict) else key < len(parent)


def _missing(path: Sequence[str], place: Any) -> NotFound:
    there: list[str] = []
    if isinstance(place, dict):
        there = [str(one) for one in place]
    elif isinstance(place, list):
        there = [
            str(next((one[key] for key in _NAMES if key in one), number))
            if isinstance(one, dict)
            else str(one)
            for number, one in enumerate(place)
        ]
    return NotFound(
        f"gitops.yaml has no {one_line('.'.join(path), 100)}",
        hint=f"there are {one_line(', '.join(there), 200)}" if there else None,
    )


def _place_for(parent: Any) -> int:
    """Return where a new key goes: last, but before the last one where comments follow that."""
    keys = list(parent)
    if not keys:
        return 0
    tokens = parent.ca.items.get(keys[-1]) if hasattr(parent, "ca") else None
    last = parent[keys[-1]]
    follows = any("\n" in one.value for one in tokens or () if hasattr(one, "value"))
    return len(keys) - 1 if follows and not isinstance(last, dict | list) else len(keys)


def _plain(value: Any) -> Any:
    """Return a value without how it is written."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _comments(text: str) -> list[str]:
    """Return every comment of a YAML text, roughly: what is lost is looked for among these."""
    return [one.strip() for one in re.findall(r"(?:^|\s)(#.*)$", text, re.MULTILINE)]
