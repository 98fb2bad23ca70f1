"""The frames of Git's protocol: lines with their length in front.

Format: `git help gitprotocol-common`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

FLUSH, DELIM = b"0000", b"0001"
_MOST_REFS = 1 << 25  # bytes of a section with refs: some 300,000


class NotGit(Exception):
    """An answer that is not what Git's protocol says, or that this client does not understand.

    Nothing of it counts; git itself is asked instead, and says what is wrong.
    """


def line(text: str) -> bytes:
    """Return one line as it goes over the wire."""
    body = text.encode("utf-8", "surrogateescape")
    return f"{len(body) + 4:04x}".encode() + body


def read_line(read: Callable[[int], bytes]) -> bytes | None:
    """Return the next line, `FLUSH` or `DELIM` in its place, None at the end.

    `read` returns as many bytes as it is asked for, fewer only at the end. Raises NotGit.
    """
    head = read(4)
    if not head:
        return None
    try:
        length = int(head, 16)
    except ValueError:
        raise NotGit("no frame of Git's protocol") from None
    if len(head) < 4 or head[:1] in b"+- " or length == 3 or length > 65520:
        raise NotGit("no frame of Git's protocol")
    if length < 3:
        return FLUSH if length == 0 else DELIM if length == 1 else None
    body = read(length - 4)
    if len(body) < length - 4:
        raise NotGit("the answer ends in a frame")
    return body


def frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield what `read_line` returns, up to the end of the answer. Raises NotGit."""
    while (found := read_line(read)) is not None:
        yield found


def section(read: Callable[[int], bytes]) -> Iterator[str]:
    """Yield the lines up to a flush, as text without newlines. Raises NotGit."""
    while (found := read_line(read)) is not FLUSH:
        if found is None or found is DELIM:
            raise NotGit("the answer ends too early")
        text = found.decode("utf-8", "surrogateescape").removesuffix("\n")
        if text.startswith("ERR "):
            raise NotGit(text)
        yield text


def refs_section(read: Callable[[int], bytes]) -> Iterator[str]:
    """Yield the lines of a `section` that tells of refs, which may be long. Raises NotGit."""
    left = _MOST_REFS
    for text in section(read):
        left -= len(text)
        if left < 0:
            raise NotGit("too many refs")
        yield text


def sideband(read: Callable[[int], bytes], told: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield the data of a side band up to its flush; what is said beside it goes to `told`.

    Raises NotGit for an end before the flush, and for an error of the server.
    """
    while (found := read_line(read)) is not FLUSH:
        if not found or found is DELIM:
            raise NotGit("the answer ends too early")
        band, data = found[0], found[1:]
        if band == 1:
            yield data
        elif band == 2:
            told(data)
        else:
            told(data)
            raise NotGit(f"the server gave up: {data[:200]!r}")


def command(name: str, agent: str, words: Iterable[str]) -> bytes:
    """Return a request of protocol version 2: a command, and what it is told."""
    head = line(f"command={name}\n") + line(f"agent={agent}\n")
    return head + DELIM + joined(f"{word}\n" for word in words)


def joined(lines: Iterable[str]) -> bytes:
    """Return lines as they go over the wire, with a flush behind them."""
    return b"".join(map(line, lines)) + FLUSH
