"""Which pods may go anywhere: no NetworkPolicy of the build bounds their egress."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitops.core.data.manifests import BuiltObject
from gitops.core.data.settings import pod_specs
from gitops.core.unstructured import items, table, text

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
