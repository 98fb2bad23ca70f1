"""`gitops workflow init`: the first workflows of a team, as files that are theirs from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from gitops.actions.manifests.files import EmptyPlace
from gitops.core.workflows.change import is_name
from gitops.errors import Refused, UsageError


class WorkflowsReport(Struct, frozen=True):
    """What was written, or would be.

    Attributes:
        outcome: `written`, or `planned` for a dry run.
        directory: as the user gave it.
        files: name -> content.
    """

    outcome: Literal["written", "planned"]
    directory: str
    files: dict[str, bytes]


def begin(
    place: EmptyPlace,
    settings: Mapping[str, str],
    make: Callable[[Mapping[str, str]], dict[str, bytes]],
    *,
    origin: str | None,
    dry_run: bool,
) -> WorkflowsReport:
    """Write what `make` makes of `settings`, and overwrite nothing.

    A `repository` that is "" is `origin`, the remote of the checkout.

    Raises UsageError (no repository, a name that Kubernetes does not take), Refused where files
    stand already, and what `make` raises.
    """
    repository = settings["repository"] or origin
    if not repository:
        raise UsageError(
            "which manifest repository do the workflows write to?", hint="--repo-url URL"
        )
    for field in ("namespace", "service_account", "secret"):
        if not is_name(settings[field]):
            raise UsageError(f"{settings[field]!r} is no name in Kubernetes")
    files = make({**settings, "repository": repository})
    taken = place.taken(tuple(files))
    if taken:
        raise Refused(
            f"{place.describe()} has {', '.join(taken)} already, and nothing is overwritten",
            hint="change definition.py and run it with python, or write into another folder",
        )
    if not dry_run:
        place.write_new(files)
    return WorkflowsReport("planned" if dry_run else "written", place.describe(), files)
