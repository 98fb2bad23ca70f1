"""Secrets that are kept elsewhere: which objects fetch them, from where, and what they make.

Fields as External Secrets 0.16, the Secrets Store CSI driver 1.5 and the Vault Secrets Operator
0.10 document them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from gitops.core.data.manifests import BuiltObject, Path, strings
from gitops.core.unstructured import items, table, text

_MOST = 2000  # outside secrets of one object
_IN_TEXT = re.compile(
    r"(?m)^[ \t-]*(?:secretPath|objectName|path|secretKey|key)[ \t]*:[ \t]*"
    r"[\"']?([^\s\"',}]{1,300})"
)


class OutsideSecret(Struct, frozen=True):
    """One secret kept elsewhere.

    Attributes:
        store: `STORE/KEY`.
        makes: the name of the Secret that it becomes, "" for none.
    """

    path: Path
    store: str
    makes: str


def outside_secrets(one: BuiltObject) -> Iterator[OutsideSecret]:
    """Yield the outside secrets that an object fetches."""
    if one.kind == "ExternalSecret":
        yield from _external(one, ("spec",))
    elif one.kind == "ClusterExternalSecret":
        yield from _external(one, ("spec", "externalSecretSpec"))
    elif one.kind == "SecretProviderClass":
        yield from _provided(one)
    elif one.kind in ("VaultStaticSecret", "VaultDynamicSecret"):
        makes = text(one.value, "spec", "destination", "name")
        key = f"{text(one.value, 'spec', 'mount')}/{text(one.value, 'spec', 'path')}"
        yield OutsideSecret(("spec", "path"), key, makes)


def _external(one: BuiltObject, at: tuple[str, ...]) -> Iterator[OutsideSecret]:
    spec = table(one.value, *at)
    makes = text(spec, "target", "name") or one.name
    for key in ("data", "dataFrom"):
        for index, row in enumerate(items(spec, key)[:_MOST]):
            store = text(row, "sourceRef", "storeRef", "name")
            store = store or text(spec, "secretStoreRef", "name")
            for inner in (("remoteRef", "key"), ("extract", "key"), ("find", "path")):
                wanted = text(row, *inner)
                if wanted:
                    path = (*at, key, index, *inner)
                    yield OutsideSecret(path, f"{store}/{wanted.lstrip('/')}", makes)


def _provided(one: BuiltObject) -> Iterator[OutsideSecret]:
    provider = text(one.value, "spec", "provider")
    made = [text(row, "secretName") for row in items(one.value, "spec", "secretObjects")]
    makes = next((name for name in made if name), "")
    for path, value in strings(table(one.value, "spec", "parameters"), ("spec", "parameters")):
        for found in _IN_TEXT.findall(value)[:_MOST]:
            yield OutsideSecret(path, f"{provider}/{found.lstrip('/')}", makes)
