"""What an overlay's manifests lead to: hosts, Secrets, outside secrets, settings; which class each.

Everything that is built counts, whether a workload names it or not: what lies in a namespace is at
hand for whoever runs there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.data.classes import Match, addresses_in, plain_host, plain_secret
from gitops.core.data.findings import DataFinding, Overlaid, finding
from gitops.core.data.manifests import (
    CLASS_LABEL,
    GUARD,
    RESET_LABEL,
    BuiltObject,
    Path,
    along,
    strings,
)
from gitops.core.data.settings import (
    Setting,
    arguments,
    containers,
    database_urls,
    is_about_database,
    kept_settings,
    pod_specs,
    sounds_like_database,
    variables,
)
from gitops.core.environments.environment import Database
from gitops.core.text.plain import one_line
from gitops.core.unstructured import items, table, text

# They say where nobody may go, or may: they lead nowhere.
_FENCES = ("NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
_SECRETS = (
    "Secret",
    "SealedSecret",
    "ExternalSecret",
    "ClusterExternalSecret",
    "VaultStaticSecret",
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - read, not bound
_NAMING = ("name", "secretKey", "key")
_SHOWN = 100


def judge_reach(overlaid: Overlaid) -> Iterator[DataFinding]:
    """Yield what leads to a database of the other class, and what nobody knows the class of."""
    made = dict(_made(overlaid))
    for one in overlaid.manifests:
        yield from _labelled(overlaid, one)
        if one.kind not in _FENCES:
            yield from _hosts(overlaid, one)
            yield from _settings(overlaid, one)
            yield from _secrets(overlaid, one, made)
        for secret in outside_secrets(one):
            yield from _outside(overlaid, one, secret.path, secret.store, secret.makes)


def _crossing(
    overlaid: Overlaid, one: BuiltObject, path: Path, what: str, match: Match, secret: bool = False
) -> Iterator[DataFinding]:
    """Yield what a match means, if it is of the other class. A Secret's text is never shown."""
    if not overlaid.own or match.class_ == overlaid.own:
        return
    shown = match.pattern if secret else match.found
    message = f"a {overlaid.own} environment reaches a {match.class_} database: {what} "
    message += one_line(shown, _SHOWN)
    yield finding(one, path, message, needles=(match.found,))


def _labelled(overlaid: Overlaid, one: BuiltObject) -> Iterator[DataFinding]:
    label = one.labels.get(CLASS_LABEL)
    path: Path = ("metadata", "labels", CLASS_LABEL)
    if label is None:
        return
    if label not in ("real", "dummy"):
        message = f"{CLASS_LABEL} is real or dummy, not {one_line(label, 40)!r}"
        yield finding(one, path, message, rule="unmarked", needles=(label,))
        return
    known = overlaid.classes.secret(one.name) if _is_secret(one) else None
    if known is not None and known.class_ != label:
        message = f"it is labelled {label}, and {known.pattern} is {known.class_} in gitops.yaml"
        yield finding(one, path, message, needles=(label,))
    elif overlaid.own and label != overlaid.own:
        message = f"a {overlaid.own} environment has what is labelled {label}"
        yield finding(one, path, message, needles=(label,))


def _hosts(overlaid: Overlaid, one: BuiltObject) -> Iterator[DataFinding]:
    """Any text, wherever it stands: what a Secret holds is decoded first."""
    seen: set[str] = set()
    kept = {setting.path: setting for setting in kept_settings(one)}
    texts: list[tuple[Path, str, bool, bool]] = [
        (path, setting.value, True, setting.secret) for path, setting in kept.items()
    ]
    for _, path, value in _started(one):
        texts.append((path, value, True, False))
    texts += [(path, value, False, False) for path, value in strings(one.value) if path not in kept]
    for path, value, setting, secret in texts:
        for match in overlaid.classes.hosts_in(value, setting=setting):
            if match.pattern not in seen and overlaid.own not in ("", match.class_):
                seen.add(match.pattern)
                yield from _crossing(overlaid, one, path, "host", match, secret)
        for name, space in _strangers(overlaid, value):
            if name not in seen:
                seen.add(name)
                message = f"it goes to namespace {one_line(space, _SHOWN)}"
                shown = "" if secret else f": {one_line(name, _SHOWN)}"
                yield finding(one, path, message + shown, needles=(name,), space=space)


def _started(one: BuiltObject) -> Iterator[tuple[str, Path, str]]:
    """Yield name (of an argument ""), path and value of what containers are started with."""
    for path, pod, _ in pod_specs(one):
        for at, container in containers(path, pod):
            for setting in variables(at, container):
                yield setting.name, setting.path, setting.value
            for place, value in arguments(at, container):
                yield "", place, value


def _strangers(overlaid: Overlaid, value: str) -> Iterator[tuple[str, str]]:
    """Yield what may be a Service of a namespace, with the namespace."""
    for name in addresses_in(value, setting=True) if overlaid.own and "." in value else ():
        parts = plain_host(name).split(".")
        if parts[1:] and parts[2:3] in ([], ["svc"]) and not parts[1].isdigit():
            yield name, parts[1]


def _settings(overlaid: Overlaid, one: BuiltObject) -> Iterator[DataFinding]:
    """Settings that say which database is used, or are the address of one that nobody knows."""
    found = list(kept_settings(one))
    found += [Setting(name, value, path) for name, path, value in _started(one)]
    seen: set[tuple[str, str]] = set()
    for setting in found:
        if (setting.name, setting.value) in seen:
            continue
        seen.add((setting.name, setting.value))
        known = overlaid.classes.setting(setting.name, setting.value) if setting.name else None
        if known is not None:
            for told in _crossing(overlaid, one, setting.path, "setting", known):
                yield _at(told, setting)
        else:
            yield from _unknown_address(overlaid, one, setting)


def _unknown_address(
    overlaid: Overlaid, one: BuiltObject, setting: Setting
) -> Iterator[DataFinding]:
    hosts = database_urls(setting.value)
    if setting.leads_to_database and not hosts and not _is_file(setting.value):
        hosts = list(addresses_in(setting.value, setting=True))
    if one.labels.get(CLASS_LABEL) in ("real", "dummy"):
        return
    for host in hosts:
        bare = plain_host(host)
        if bare.isdigit() or overlaid.classes.host(host) or bare in _LOOPBACK:
            continue
        if _served(overlaid, bare) or bare.split(".")[1:2] == [one.namespace] != [""]:
            continue
        shown = "a database" if setting.secret else one_line(host, _SHOWN)
        message = f"no row of `databases:` knows {shown}"
        name = setting.name or "an argument"
        told = finding(
            one, setting.path, f"{one_line(name, 80)}: {message}", rule="unmarked", needles=(host,)
        )
        yield _at(told, setting)
        return


def _served(overlaid: Overlaid, host: str) -> bool:
    """Say whether a host is a Service of this build that says of which class it is."""
    name = host.split(".")[0]
    return any(
        one.name in (name, name.rpartition("-")[0])
        and (one.labels.get(CLASS_LABEL) in ("real", "dummy"))
        for one in overlaid.manifests
    )


def _is_file(value: str) -> bool:
    return value.startswith(("/", "file:", "sqlite:", "jdbc:h2:", "jdbc:sqlite:", "$("))


def _secrets(overlaid: Overlaid, one: BuiltObject, made: dict[str, Match]) -> Iterator[DataFinding]:
    """Secrets by reference: variables, envFrom, volumes, whatever names one in any field."""
    seen: set[str] = set()
    for path, name in _references(one):
        if name in seen:
            continue
        seen.add(name)
        match = overlaid.classes.secret(name) or made.get(name) or made.get(plain_secret(name))
        if match is not None:
            found = Match(match.class_, name, match.pattern)
            yield from _crossing(overlaid, one, path, "Secret", found)
        elif _matters(overlaid, one, path, name):
            message = f"nobody says of which class Secret {one_line(name, _SHOWN)} is"
            yield finding(one, path, message, rule="unmarked", needles=(name, plain_secret(name)))


def _matters(overlaid: Overlaid, one: BuiltObject, path: Path, name: str) -> bool:
    """Say whether a Secret of no class is about a database: by its name or what it is used for."""
    if sounds_like_database(plain_secret(name)):
        return True
    used = (text(at, key) for at in along(one.value, path[:-1]) for key in _NAMING)
    if any(is_about_database(word) for word in used if word):
        return True
    kept = [two for two in overlaid.manifests if two.kind == "Secret" and two.name == name]
    return any(is_about_database(item.name) for two in kept for item in kept_settings(two))


def _references(one: BuiltObject) -> Iterator[tuple[Path, str]]:
    """Yield every field that names a Secret, in objects of any kind."""
    if _is_secret(one):
        return
    for path, value in strings(one.value):
        words = [step for step in path if isinstance(step, str)]
        if not value or not words or "imagePullSecrets" in words or words[0] == "metadata":
            continue
        last, before = words[-1].casefold(), words[-2].casefold() if len(words) > 1 else ""
        if _is_guard(one, path):
            continue  # it looks whether the Secret is there, and fails when it is
        by_name = last == "name" and "secret" in before and "store" not in before
        if by_name or last in ("secretname", "existingsecret"):
            yield path, value


def _is_guard(one: BuiltObject, path: Path) -> bool:
    """Say whether a path leads into what a guard may name: a Secret that need not be there."""
    if RESET_LABEL not in one.labels or "initContainers" not in path:
        return False
    _, *inside = along(one.value, path[:-1])
    guard = any(text(at, "name") == GUARD for at in inside)
    return guard and table(inside[-1]).get("optional") in ("true", True)


def _outside(
    overlaid: Overlaid, one: BuiltObject, path: Path, store: str, makes: str
) -> Iterator[DataFinding]:
    """Outside secrets: where they are kept tells their class."""
    match = overlaid.classes.store(store)
    if match is not None:
        for told in _crossing(overlaid, one, path, "outside secret", match):
            yield replace(told, needles=(store.partition("/")[2] or store, store))
        return
    about = overlaid.classes.secret(makes) is not None or sounds_like_database(makes)
    if about and overlaid.classes.knows_stores:
        message = f"no row of `databases:` knows the outside secret {one_line(store, _SHOWN)}"
        needles = (store.partition("/")[2] or store,)
        yield finding(one, path, message, rule="unmarked", needles=needles)


def _made(overlaid: Overlaid) -> Iterator[tuple[str, Match]]:
    """Yield the Secrets whose class this build tells: by a label, or by where they are kept."""
    for one in overlaid.manifests:
        names = {one.name} if _is_secret(one) else set()
        for secret in outside_secrets(one):
            names.add(secret.makes)
            match = overlaid.classes.store(secret.store)
            if match is not None:
                yield secret.makes, match
        label = one.labels.get(CLASS_LABEL)
        if label in ("real", "dummy"):
            class_ = cast(Database, label)
            for name in names:
                yield name, Match(class_, name, f"the label {CLASS_LABEL}")


def _is_secret(one: BuiltObject) -> bool:
    return one.kind in _SECRETS


def _at(told: DataFinding, setting: Setting) -> DataFinding:
    """Return the finding with the setting's own name as the field, and its value to look for."""
    return replace(told, field=setting.name, needles=(*told.needles, setting.value, setting.name))


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
