"""Alerts as Alertmanager sends them to a webhook (its version 4 of the body).

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from gitops.core.git.commit import derived_id, timed_id
from gitops.core.text.plain import one_line
from gitops.core.unstructured import table, text, time

LARGEST_BODY = 1 << 20
"""Bytes of a body that are read."""

_MOST_LABELS = 64


class Alert(Struct, frozen=True):
    """One alert.

    Attributes:
        fingerprint: of its labels; the same each time that it fires.
        firing: False: it has ended.
        labels: all of them, texts.
        starts_at: since when it fires this time, UTC.
        ends_at: when it ended, None while it fires.
        summary: what its author wrote for people, one line; "" for nothing.
        url: where its rule can be looked at; "" for nowhere.
        by_cluster: a cluster says it, not monitoring.
    """

    fingerprint: str
    firing: bool
    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    summary: str = ""
    url: str = ""
    by_cluster: bool = False

    @property
    def key(self) -> str:
        """The same for every repeat of this firing, and another one when it fires again."""
        return f"{self.fingerprint} {self.starts_at.isoformat()}"

    def intent_against(self, bad: str) -> str:
        """Return the id of the rollback by which it takes the release `bad` back."""
        about = derived_id("", f"{self.key} {bad}")
        return timed_id(self.starts_at.timestamp(), bytes.fromhex(about[:20]))

    @property
    def name(self) -> str:
        """What its rule is called."""
        return one_line(self.labels.get("alertname", "an alert"), 120)


class AlertBatch(Struct, frozen=True):
    """One body.

    Attributes:
        truncated: how many alerts Alertmanager left out of it (`max_alerts`).
    """

    alerts: tuple[Alert, ...]
    truncated: int = 0


def read_alerts(content: bytes) -> AlertBatch:
    """Read a body. Raises ValueError with the reason for what is none."""
    if len(content) > LARGEST_BODY:
        raise ValueError(f"is larger than {LARGEST_BODY} bytes")
    try:
        told = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError("is no JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("alerts"), list):
        raise ValueError("has no list `alerts`: it is no body of Alertmanager's webhook")
    if told.get("version", "4") != "4":
        raise ValueError(f"has version {told['version']!r}; gitops knows version 4")
    missing = told.get("truncatedAlerts", 0)
    return AlertBatch(
        tuple(_alert(one, number) for number, one in enumerate(told["alerts"], 1)),
        missing if isinstance(missing, int) and missing > 0 else 0,
    )


def _alert(told: Any, number: int) -> Alert:
    if not isinstance(told, dict):
        raise ValueError(f"alert {number} is no mapping")
    status = told.get("status")
    if status not in ("firing", "resolved"):
        raise ValueError(f"alert {number} has no status, firing or resolved")
    labels = _texts(told.get("labels"), f"labels of alert {number}")
    starts = time(told, "startsAt")
    if starts is None:
        raise ValueError(f"alert {number} does not say since when (startsAt)")
    notes, url = table(told, "annotations"), text(told, "generatorURL")
    summary = notes.get("summary") or notes.get("description")
    fingerprint = told.get("fingerprint")
    return Alert(
        fingerprint=one_line(fingerprint, 64) if isinstance(fingerprint, str) else _own(labels),
        firing=status == "firing",
        labels=labels,
        starts_at=starts,
        ends_at=time(told, "endsAt") if status == "resolved" else None,
        summary=one_line(summary, 300) if isinstance(summary, str) else "",
        url=one_line(url, 500) if url.startswith("http") else "",
    )


def _texts(told: Any, what: str) -> dict[str, str]:
    if not isinstance(told, dict) or len(told) > _MOST_LABELS:
        raise ValueError(f"{what} are no mapping of at most {_MOST_LABELS}")
    if not all(isinstance(value, str) for value in told.values()):
        raise ValueError(f"{what} are not all texts")
    return {key: one_line(value, 500) for key, value in told.items()}


def _own(labels: Mapping[str, str]) -> str:
    """A fingerprint for senders that have none (Grafana's older ones)."""
    import hashlib

    text = msgspec.json.encode(labels, order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]
