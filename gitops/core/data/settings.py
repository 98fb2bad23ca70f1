"""Settings of workloads: variables of containers, and what ConfigMaps and Secrets hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from gitops.core.data.manifests import BuiltObject, Path, decoded
from gitops.core.unstructured import items, table, text

_LINE = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z0-9_][A-Za-z0-9_.-]{0,200})[ \t]*[=:][ \t]*(.+)$", re.M
)
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_LONGEST = 1024  # of a value with variables in it
_MOST_LINES = 2000

_DATABASE = (
    r"(?:db|database|pg|postgres(?:ql)?|mysql|mariadb|mongo(?:db)?|redis|mssql|sqlserver|oracle|"
    r"cockroach|clickhouse|jdbc|datasource|sql)"
)
_ADDRESS_NAME = re.compile(
    rf"(?:^|.*[._-]){_DATABASE}[._-]?(?:\w+[._-])?"
    r"(?:host(?:s|name|addr)?|server|addr(?:ess)?|url|uri|dsn|endpoint|connection(?:[._-]?string)?)$",
    re.I,
)
_CREDENTIAL_NAME = re.compile(
    rf"(?:^|.*[._-]){_DATABASE}[._-]?(?:\w+[._-])?(?:user(?:name)?|pass(?:word|wd)?)(?:[._-]?file)?$",
    re.I,
)
_HIDDEN_NAME = re.compile(
    r".*(?:pass(?:word|wd|phrase)|token|(?:api|private|secret|access)[._-]?key|client[._-]?secret)$",
    re.I,
)
_OBJECT_NAME = re.compile(rf"(?:^|.*[.-]){_DATABASE}(?:[.-].*|$)", re.I)
_SCHEME = re.compile(
    r"(?i)\b(postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|sqlserver|mssql|oracle|cockroachdb|"
    r"clickhouse)(?:\+\w+)?:(?:thin:)?(?://|@)(?:[^\s/@]*@)?"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)"
)
_PASSWORD = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:]{0,200}:([^\s/@]{1,400})@([A-Za-z0-9_.-]*)"
)


class Setting(Struct, frozen=True):
    """One name with its value.

    Attributes:
        path: where it stands in its object.
        secret: the value is one that nobody may see.
    """

    name: str
    value: str
    path: Path
    secret: bool = False

    @property
    def leads_to_database(self) -> bool:
        """Whether its name says that it is the address of a database."""
        return _ADDRESS_NAME.fullmatch(self.name[:300]) is not None

    @property
    def is_secret(self) -> bool:
        """Whether its name says that nobody may see it."""
        return _HIDDEN_NAME.fullmatch(self.name[:300]) is not None


def is_about_database(name: str) -> bool:
    """Say whether a setting's name is that of the address or the credentials of a database."""
    short = name[:300]
    return any(one.fullmatch(short) for one in (_ADDRESS_NAME, _CREDENTIAL_NAME))


def sounds_like_database(name: str) -> bool:
    """Say whether the name of an object has the word for a database in it."""
    return _OBJECT_NAME.fullmatch(name[:300]) is not None


def database_urls(value: str) -> list[str]:
    """Return the hosts of the URLs of databases in a text."""
    return [host.strip("[]") for _, host in _SCHEME.findall(value)]


def passwords(value: str) -> list[tuple[str, str]]:
    """Return (password, host) of the URLs in a text that hold one in clear."""
    return [
        (word, host)
        for word, host in _PASSWORD.findall(value)
        if not word.startswith(("$", "<", "{"))
    ]


def pod_specs(one: BuiltObject) -> Iterator[tuple[Path, dict[str, Any], dict[str, str]]]:
    """Yield every pod of an object with its path and labels, whatever kind the object is of."""
    todo: list[tuple[Path, Any, dict[str, Any]]] = [((), one.value, {})]
    while todo:
        path, value, above = todo.pop()
        if isinstance(value, list):
            todo += [((*path, index), item, {}) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            if items(value, "containers") or items(value, "initContainers"):
                labels = table(above, "metadata", "labels")
                yield path, value, {key: str(word) for key, word in labels.items()}
            todo += [((*path, key), item, value) for key, item in value.items()]


def containers(path: Path, pod: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the containers of a pod, those that run first or for a while too."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, one in enumerate(items(pod, key)):
            if isinstance(one, dict):
                yield (*path, key, index), one


def variables(path: Path, container: dict[str, Any]) -> Iterator[Setting]:
    """Yield the variables of a container that have a value, those in it filled in."""
    known: dict[str, str] = {}
    for index, one in enumerate(items(container, "env")):
        name, value = text(one, "name"), text(one, "value")
        if value:
            known[name] = value = _filled(value, known)
            yield Setting(name, value, (*path, "env", index))


def arguments(path: Path, container: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield what a container is started with, its variables filled in."""
    known = {one.name: one.value for one in variables(path, container)}
    for key in ("command", "args"):
        for index, one in enumerate(items(container, key)):
            if isinstance(one, str):
                yield (*path, key, index), _filled(one, known)


def kept_settings(one: BuiltObject) -> Iterator[Setting]:
    """Yield what a ConfigMap or a Secret holds; files in them are read line by line, too."""
    secret = one.kind == "Secret"
    for key in ("data", "stringData", "binaryData"):
        for name, value in table(one.value, key).items():
            if not isinstance(value, str) or (one.kind not in ("Secret", "ConfigMap")):
                continue
            coded = key == "binaryData" or (secret and key == "data")
            plain = decoded(value) if coded else value
            yield Setting(name, plain, (key, name), secret)
            if "\n" in plain.strip():
                for found in islice(_LINE.finditer(plain), _MOST_LINES):
                    said = found[2].strip().strip("\"'")
                    yield Setting(found[1], said, (key, name), secret)


def is_sealed(value: str) -> bool:
    """Say whether a value of a Secret is none that anybody could use: empty, or encrypted."""
    return not value.strip() or value.lstrip().startswith(("ENC[", "AGE-", "-----BEGIN AGE"))


def _filled(value: str, known: dict[str, str]) -> str:
    """Put the variables before it into a value, as Kubernetes does."""
    if "$(" not in value or len(value) > _LONGEST:
        return value
    filled = _VARIABLE.sub(lambda found: known.get(found[1], found[0]), value)
    return filled if len(filled) <= _LONGEST else value
