"""What was said of the overlays of an environment, kept for the next call of this user.

One commit later four environments of five are as they were, and so is every word about them. What
is kept lies beside the index (`ports.Index`), under its seal, and counts for exactly the overlays
that it was said of (`StatusPart.mark`). Only what hangs on nothing else is kept: no time of day,
no colour, no answer of a cluster.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from gitops import __version__
from gitops.core.report import OverlayStatus, StatusPart
from gitops.ports import Index

_LARGEST = 1 << 26  # bytes of what is said of one environment
_FORM = f"{__version__} {','.join(OverlayStatus.__struct_fields__)}"


class KeptText(Struct, frozen=True, array_like=True):
    """The lines about one environment, aligned with all others.

    Attributes:
        widths: columns of the screen that each of its own columns needs.
        laid: columns that they have in `text`.
        text: lines; "" for none.
    """

    widths: tuple[int, ...]
    laid: tuple[int, ...]
    text: str


class KeptWords:
    """What was said in one way of the environments of a repository.

    Args:
        index: where it is kept; None: nowhere.
        way: `text` or `json`, and what else all of it hangs on.
    """

    def __init__(self, index: Index | None, way: str) -> None:
        self._index = index
        self._way = way

    def read(self, part: StatusPart) -> bytes | None:
        """Return what was said of a part; None: nothing is kept of just these overlays."""
        if self._index is None or part.mark is None:
            return None
        content = self._index.page(self._name(part.mark))
        with suppress(msgspec.MsgspecError, zlib.error):
            form, mark, said = msgspec.msgpack.decode(content or b"", type=tuple[str, str, bytes])
            if (form, mark) == (_FORM, part.mark):
                stream = zlib.decompressobj()
                whole = stream.decompress(said, _LARGEST)
                return whole if stream.eof else None
        return None

    def keep(self, part: StatusPart, said: bytes) -> None:
        """Keep what was said of a part, in place of what was said of that environment before."""
        if self._index is None or part.mark is None or len(said) > _LARGEST:
            return
        content = msgspec.msgpack.encode((_FORM, part.mark, zlib.compress(said, 1)))
        self._index.keep(self._name(part.mark), content)

    def _name(self, mark: str) -> str:
        return f"said {self._way} {mark.partition(' ')[2]}"


def read_text(kept: KeptWords, part: StatusPart) -> KeptText | None:
    """Return the lines that were printed about a part; None: nothing is kept of it."""
    with suppress(msgspec.MsgspecError):
        return msgspec.msgpack.decode(kept.read(part) or b"", type=KeptText)
    return None


def keep_text(kept: KeptWords, part: StatusPart, text: KeptText) -> None:
    """Keep the lines about a part."""
    kept.keep(part, msgspec.msgpack.encode(text))


def said_json(
    parts: Sequence[StatusPart], index: Index | None, document: Callable[[OverlayStatus], object]
) -> msgspec.Raw:
    """Return the list of the documents of all overlays, as JSON.

    Raises UnicodeEncodeError where one of them holds half of a pair of surrogates.
    """
    kept, found = KeptWords(index, "json"), []
    for part in parts:
        said = kept.read(part)
        if said is None:
            said = msgspec.json.encode([*map(document, part.overlays)])[1:-1]
            kept.keep(part, said)
        found.append(said)
    return msgspec.Raw(b"[" + b",".join(filter(None, found)) + b"]")
