"""What people ask for on the page of an act: read of its address, and of its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitops.errors import UsageError
from gitops.server.acts.requests import BODIES, Body

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "rollback": ("to", "bad", "reason", "override"),
    "undo": ("rollback", "reason"),
    "hold": ("reason",),
    "resume": (),
    "promote": ("source", "override", "reason"),
    "approve": ("head", "override"),
    "close": ("reason",),
    "qa": ("release", "verdict", "note"),
    "deploy": ("override", "reason"),
}
"""The fields of each verb's form; what is empty was not said."""
_SWITCHES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "rollback": (("schema", "acceptSchemaRisk"),),
    "approve": (("update", "update"),),
}
_STAND_IN: Mapping[str, Mapping[str, str]] = {
    "hold": {"reason": "…"},
    "qa": {"verdict": "pass", "release": "newest"},
}
"""What a preview takes for what is asked on its page."""


def read_body(verb: str, fields: Mapping[str, str], *, shown: bool = False) -> Body:
    """Return what the fields ask for; `shown`: for a preview, before all was said.

    Raises UsageError for what does not fit.
    """
    told: dict[str, Any] = {**_STAND_IN.get(verb, {})} if shown else {}
    for key in _TEXTS[verb]:
        if text := fields.get(key, "").strip():
            told[key] = " ".join(text.split())
    for key, name in _SWITCHES.get(verb, ()):
        if fields.get(key):
            told[name] = True
    if verb == "deploy":
        told["images"] = pins_of(fields)
    if verb == "rollback" and fields.get("hold") == "no":
        told["hold"] = False
    try:
        return msgspec.convert(told, BODIES[verb])
    except msgspec.ValidationError as error:
        raise UsageError(f"the form: {error}") from None


def pins_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is to be deployed: `NAME:TAG`, of a name and a tag that were given."""
    image, tag = fields.get("image", "").strip(), fields.get("tag", "").strip()
    if not image:
        return ()
    if not tag:
        return (image,)
    return (f"{image}@{tag}" if tag.startswith("sha256:") else f"{image}:{tag}",)
