"""Every rule about data: asked of one overlay, of bounds of the network, and of `gitops.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gitops.core.data.findings import DataFinding, DataLevel, Overlaid, finding
from gitops.core.data.manifests import CLASS_LABEL, RESET_LABEL, BuiltObject, strings
from gitops.core.data.reach import judge_reach
from gitops.core.data.settings import (
    arguments,
    containers,
    is_sealed,
    kept_settings,
    passwords,
    pod_specs,
    variables,
)
from gitops.core.environments.environment import Config, Environment
from gitops.core.text.plain import one_line
from gitops.core.unstructured import items, table, text

_JOB_NAME = re.compile(
    r"(?:^|.*[-._])(?:re-?seed|seed(?:er|ing)?|fixtures?|truncate|wipe|reset)(?:[-._].*|$)"
)
_JOB_WORDS = re.compile(
    r"(?i)\bdb:(?:seed|reset|drop|fixtures:load)\b|\bmanage\.py\s+(?:flush|loaddata)\b|"
    r"\bdrop\s+(?:database|schema)\b|\btruncate\s+(?:table\s+)?\w|\bmigrate:(?:fresh|reset)\b"
)
_MOST = 200  # findings of one overlay


def judge_overlay(overlaid: Overlaid) -> tuple[DataFinding, ...]:
    """Return what is wrong with one overlay, in the order of its manifests, each thing once.

    What has a `space` counts only as `settle` says.
    """
    found: dict[tuple[str, str, str], DataFinding] = {}
    kept = {True: 0, False: 0}
    for rule in (judge_reach, _clear, _jobs, _egress):
        for one in rule(overlaid):
            key = (one.kind, one.name, one.message)
            if key not in found and kept[bool(one.space)] < _MOST:
                kept[bool(one.space)] += 1
                found[key] = one
    return tuple(found.values())


def settle(found: Iterable[DataFinding], strangers: Mapping[str, str]) -> Iterator[DataFinding]:
    """Yield what counts, once the namespaces of all environments are known.

    `strangers` is what `strange_namespaces` returns.
    """
    for one in found:
        if not one.space:
            yield one
        elif one.space in strangers:
            yield replace(one, message=f"{one.message}, which is that of {strangers[one.space]}")


def judge_environments(config: Config) -> Iterator[tuple[Environment, DataFinding]]:
    """Yield environments with real data that is not kept safe where it is no production."""
    if not config.databases:
        return
    before = {name for row in config.environments if row.database == "real" for name in row.after}
    for row in config.environments:
        if row.name in before and row.database == "real" and row.protection is None:
            message = (
                "it holds real data and is no production: say what keeps it safe, "
                "`dataProtection: masked` or `read-only`"
            )
            yield row, DataFinding("protection", "error", message)
        elif row.database is None:
            message = "nobody says what data it has: `database: real` or `dummy`"
            yield row, DataFinding("protection", "warning", message)


def strange_namespaces(
    spaces: Mapping[Environment, Iterable[str]], environment: Environment
) -> dict[str, str]:
    """Return the namespaces that only environments of the other class have -> one of those."""
    own = {
        space
        for row, found in spaces.items()
        if row.database in (environment.database, None)
        for space in found
    }
    return {
        space: row.name
        for row, found in spaces.items()
        if row.database not in (environment.database, None) and environment.database is not None
        for space in found
        if space and space not in own
    }


def seeds_or_resets(one: BuiltObject) -> bool:
    """Say whether a Job, by its label, its name or its words, throws data away or fills some in."""
    pods = list(pod_specs(one))
    if not pods or one.kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        return RESET_LABEL in one.labels
    if RESET_LABEL in one.labels or _JOB_NAME.fullmatch(one.name[:300]):
        return True
    return any(
        _JOB_WORDS.search(" ".join(value for _, value in arguments(at, container))[:20_000])
        for path, pod, _ in pods
        for at, container in containers(path, pod)
    )


def _jobs(overlaid: Overlaid) -> Iterator[DataFinding]:
    if overlaid.own != "real":
        return
    for one in overlaid.manifests:
        if seeds_or_resets(one):
            message = "it seeds or resets data, and the data here is real"
            yield finding(
                one, (), message, rule="job", field="name", needles=(one.name, RESET_LABEL)
            )


def _clear(overlaid: Overlaid) -> Iterator[DataFinding]:
    """Yield secrets that stand in the repository for everybody to read."""
    real = overlaid.own == "real"
    for one in overlaid.manifests:
        if one.kind == "Secret":
            yield from _clear_secret(overlaid, one)
            continue
        told: set[str] = set()
        for path, value in strings(one.value):
            for word, host in passwords(value):
                match = overlaid.classes.host(host)
                if word in told or (match is not None and match.class_ == "dummy"):
                    continue
                told.add(word)
                yield finding(
                    one,
                    path,
                    "a URL with a password in it",
                    rule="clear",
                    level="error" if real else "warning",
                    needles=(word,),
                )
        if real:
            yield from _clear_settings(one)


def _clear_secret(overlaid: Overlaid, one: BuiltObject) -> Iterator[DataFinding]:
    kept = [item for item in kept_settings(one) if not is_sealed(item.value)]
    known = overlaid.classes.secret(one.name)
    label = known.class_ if known is not None else one.labels.get(CLASS_LABEL)
    if not kept or (label == "dummy" and overlaid.own != "real"):
        return
    level: DataLevel = "error" if "real" in (overlaid.own, label) else "warning"
    message = "a Secret with its values in clear: whoever reads the repository has them"
    first = kept[0]
    yield finding(
        one,
        first.path,
        message,
        rule="clear",
        level=level,
        needles=(first.value, one.name),
    )


def _clear_settings(one: BuiltObject) -> Iterator[DataFinding]:
    found = list(kept_settings(one)) if one.kind == "ConfigMap" else []
    for path, pod, _ in pod_specs(one):
        for at, container in containers(path, pod):
            found += variables(at, container)
    for setting in found:
        said = setting.value.strip()
        if setting.is_secret and not is_sealed(said) and not said.startswith(("$", "/", "<")):
            name = one_line(setting.name, 80)
            yield finding(
                one,
                setting.path,
                f"{name} has its value in clear",
                rule="clear",
                field=setting.name,
                needles=(said,),
            )


def _egress(overlaid: Overlaid) -> Iterator[DataFinding]:
    """Yield the pods that nothing bounds, where a row of the other class asks for that."""
    asked = {row.class_ for row in overlaid.classes.rows if row.egress}
    others = sorted(asked - {overlaid.own})
    if not overlaid.own or not others:
        return
    for one, why in unbounded(overlaid.manifests):
        message = f"{why}, and {others[0]} databases must be out of reach (egress: bounded)"
        yield finding(one, (), message, rule="egress", field="name", needles=(one.name,))


_ANYWHERE = ("0.0.0.0/0", "::/0")


def unbounded(manifests: Sequence[BuiltObject]) -> Iterator[tuple[BuiltObject, str]]:
    """Yield each object with pods that no policy bounds, and why, as words."""
    policies = [(one, selector, rules) for one in manifests for selector, rules in _egress_of(one)]
    for one in manifests:
        for _, _, labels in pod_specs(one):
            own = labels if one.kind != "Pod" else one.labels
            found = [
                (policy, rules)
                for policy, selector, rules in policies
                if policy.namespace == one.namespace and selects(selector, own)
            ]
            if not found:
                yield one, "no NetworkPolicy bounds where its pods may go"
                break
            wide = next((policy for policy, rules in found if any(map(_is_wide, rules))), None)
            if wide is not None:
                yield one, f"{wide.title} lets its pods go anywhere"
                break


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a label selector takes pods with these labels; an empty one takes all."""
    wanted = table(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in items(selector, "matchExpressions"))


def _holds(one: object, labels: Mapping[str, str]) -> bool:
    key, how = text(one, "key"), text(one, "operator")
    value, values = labels.get(key), items(one, "values")
    if how == "In":
        return value in values
    if how == "NotIn":
        return value not in values
    return (value is not None) == (how == "Exists")


def _egress_of(one: BuiltObject) -> Iterator[tuple[Mapping[str, Any], Sequence[Any]]]:
    """Yield selector and egress rules, where the policy bounds egress at all."""
    spec = table(one.value, "spec")
    rules = items(spec, "egress")
    if one.kind == "NetworkPolicy" and (rules or "Egress" in items(spec, "policyTypes")):
        yield table(spec, "podSelector"), rules
    elif one.kind == "CiliumNetworkPolicy" and "egress" in spec:
        yield table(spec, "endpointSelector"), rules


def _is_wide(rule: object) -> bool:
    """Say whether a rule lets pods go to every address."""
    if not isinstance(rule, dict):
        return False
    peers = items(rule, "to")
    named = [key for key in rule if key.startswith("to") and key != "toPorts"]
    if not peers and not any(rule[key] for key in named):
        return True
    cidrs = [one for one in peers if text(one, "ipBlock", "cidr") in _ANYWHERE]
    open_cidrs = [one for one in cidrs if not items(one, "ipBlock", "except")]
    return bool(open_cidrs) or any(one in _ANYWHERE for one in items(rule, "toCIDR"))
