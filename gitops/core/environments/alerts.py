"""Rows of `alerts:`: which alerts of monitoring are about which overlay."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class AlertRow(Struct, frozen=True):
    """A row of `alerts:`.

    Attributes:
        match: labels that the alert must have, compared exactly.
        environment, environment_label: always this one, or the label that says it.
        app, app_label: the same of the app; neither: environments as a whole.
        within: seconds after a release went live in which its alert is the release's.
        limit: automatic rollbacks of an environment a day.
    """

    name: str
    match: Mapping[str, str]
    environment: str | None = None
    environment_label: str | None = None
    app: str | None = None
    app_label: str | None = None
    within: float = 1800.0
    limit: int = 2
