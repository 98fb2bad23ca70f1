"""Which class a host, a Secret, an outside secret or a setting is of, as `databases:` says it.

Where patterns of both classes match, the one that says more counts: `*.prod-db.example.com` over
`*.example.com`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from msgspec import Struct

from gitops.core.environments.environment import Database
from gitops.core.environments.rows import DatabaseRow
from gitops.core.text.wildcards import glob

_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_WORD = re.compile(_HOST)
_LIST = re.compile(rf"\s*{_HOST}\.?(?::[0-9]+)?(?:\s*,\s*{_HOST}\.?(?::[0-9]+)?)*\s*\Z")
_ADDRESS = re.compile(
    rf"(?://|@|\(|,|\b(?i:host|hosts|hostaddr|server|data source|address|addr)\s*[=:]\s*[\"']?)"
    rf"({_HOST})(?=\.?(?:[:/?,;)\s\"'&]|\Z))|(?<![A-Za-z0-9_.-])[.-]*({_HOST}):[0-9]{{2,5}}\b"
)
_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]{2,60})\]|(?<![0-9A-Fa-f:.])([0-9A-Fa-f:]{4,45})(?![\w:])")
# The first ten letters of a checksum, as kustomize writes them behind a generated name.
_HASH = re.compile(r"-[2456789bcdfghkmt]{10}\Z")
_LONGEST = 1 << 20


class Match(Struct, frozen=True):
    """What a pattern of `databases:` says of something.

    Attributes:
        found: what matched, as it stands there.
        pattern: of `databases:`.
    """

    class_: Database
    found: str
    pattern: str


class Classes:
    """The rows of `databases:`, asked for one thing at a time."""

    def __init__(self, rows: Sequence[DatabaseRow]) -> None:
        self.rows = tuple(rows)
        self._hosts = _ranked((row.class_, one) for row in rows for one in row.hosts)
        self._secrets = _ranked((row.class_, one) for row in rows for one in row.secrets)
        self._stores = _ranked((row.class_, one) for row in rows for one in row.stores)
        self._keys = _ranked((row.class_, one) for row in rows for one in row.keys)

    @property
    def knows_stores(self) -> bool:
        """True when outside secrets have a class at all."""
        return bool(self._stores)

    def host(self, name: str) -> Match | None:
        """Return the class of a host."""
        return _first(self._hosts, plain_host(name), name)

    def secret(self, name: str) -> Match | None:
        """Return the class of a Secret, by its name with or without kustomize's checksum."""
        return _first(self._secrets, name, name) or _first(self._secrets, plain_secret(name), name)

    def store(self, key: str) -> Match | None:
        """Return the class of an outside secret, `STORE/KEY`."""
        return _first(self._stores, key, key)

    def setting(self, name: str, value: str) -> Match | None:
        """Return the class that a setting tells."""
        for class_, pattern in self._keys:
            key, equals, wanted = pattern.partition("=")
            if glob(key.casefold(), name.casefold()) and (not equals or wanted == value.strip()):
                return Match(class_, name, pattern)
        return None

    def hosts_in(self, text: str, *, setting: bool = False) -> Iterator[Match]:
        """Yield what of a text is a host of some class, each pattern once.

        A name without a dot counts where an address stands, and as the whole of a `setting`.
        """
        seen: set[str] = set()
        for name in hosts_in(text, setting=setting):
            match = self.host(name)
            if match is not None and match.pattern not in seen:
                seen.add(match.pattern)
                yield match


def hosts_in(text: str, *, setting: bool = False) -> Iterator[str]:
    """Yield the hosts that a text may name: dotted names anywhere, others where addresses stand."""
    for one in dict.fromkeys((text[:_LONGEST], unquote(text[:_LONGEST]))):
        yield from (name for name in _WORD.findall(one) if "." in name)
        yield from addresses_in(one, setting=setting)


def addresses_in(text: str, *, setting: bool = False) -> Iterator[str]:
    """Yield what stands where an address does: in a URL, before a port, as a whole setting."""
    for pair in _ADDRESS.findall(text):
        yield pair[0] or pair[1]
    for pair in _BRACKETS.findall(text):
        yield pair[0] or pair[1]
    if setting and len(text) < 2000 and _LIST.match(text):
        yield from (one.partition(":")[0] for one in re.split(r"[\s,]+", text.strip()) if one)


def plain_host(name: str) -> str:
    """Return a host as it is compared: small letters, no dot at the end."""
    return name.casefold().rstrip(".")


def plain_secret(name: str) -> str:
    """Return the name of a Secret without the checksum that kustomize puts behind it."""
    return _HASH.sub("", name)


def _ranked(pairs: Iterable[tuple[Database, str]]) -> list[tuple[Database, str]]:
    return sorted(pairs, key=lambda pair: pair[1].count("*") - len(pair[1]))


def _first(patterns: list[tuple[Database, str]], name: str, found: str) -> Match | None:
    folded = name.casefold()
    for class_, pattern in patterns:
        if glob(pattern.casefold(), folded):
            return Match(class_, found, pattern)
    return None
