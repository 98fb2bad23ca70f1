"""Channels that carry messages to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.ports.notifier import Notifier


def open_notifier(channels: Mapping[str, Sequence[str]]) -> Notifier:
    """Return what sends messages; `channels`: name -> addresses of apprise.

    Raises NotFound where apprise is not installed, UsageError for an address that is none.
    """
    from gitops.adapters.local.clock import SystemClock
    from gitops.adapters.notifications.apprise_channels import AppriseChannels

    return AppriseChannels(channels, SystemClock())
