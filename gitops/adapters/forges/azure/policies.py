"""The policies of branches on Azure DevOps: what a pull request must have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitops.adapters.forges.azure.answers import BUILD, REVIEWERS, STATUS, is_for, status_name
from gitops.adapters.forges.transport.calls import ForgeResponse
from gitops.adapters.forges.transport.rest import Json, RestApi
from gitops.ports import CheckState


class Policies:
    """The policies of a project; everything may raise ForgeResponse and NoAnswer."""

    def __init__(self, api: RestApi, project: str) -> None:
        self._api = api
        self._project = project
        self._known: Json = None

    def evaluations(self, pull: Json) -> list[Json]:
        """Return how each policy stands for a pull request; [] where that is not told."""
        project = ((pull.get("repository") or {}).get("project") or {}).get("id")
        number = int(pull["pullRequestId"])
        try:
            found = self._api.outside(
                f"{self._project}/_apis/policy/evaluations",
                artifactId=f"vstfs:///CodeReview/CodeReviewId/{project}/{number}",
                **{"api-version": "7.1-preview.1"},
            )
        except ForgeResponse as error:
            if error.status not in (401, 403, 404):
                raise
            return []
        return list(found.get("value") or ())

    def set(self, kind: str, settings: Json, before: Json) -> None:
        """Make a policy, or change the one that was there."""
        body = {"isEnabled": True, "isBlocking": True, "type": {"id": kind}, "settings": settings}
        where = f"{self._project}/_apis/policy/configurations"
        if before is None:
            self._api.send_outside("POST", where, body)
        else:
            self._api.send_outside("PUT", f"{where}/{before['id']}", body)

    def of(self, branch: str) -> list[Json] | None:
        """Return the policies that block, for a branch; None where they are not told."""
        try:
            return [one for one in self.every() if is_for(one, self.repository(), branch)]
        except ForgeResponse as error:
            if error.status not in (401, 403):
                raise
            return None

    def every(self) -> list[Json]:
        """Return all policies of the project."""
        found = self._api.outside(f"{self._project}/_apis/policy/configurations")
        return list(found.get("value") or ())

    def repository(self) -> str:
        """Return the id of the repository, which policies name it by."""
        if self._known is None:
            self._known = self._api.get("")
        return str(self._known["id"])


def unmet(evaluations: Iterable[Json]) -> list[str]:
    """Return the names of the policies that stand in the way."""
    return [
        f"{(one['configuration'].get('type') or {}).get('displayName')} is {one.get('status')}"
        for one in evaluations
        if one["configuration"].get("isBlocking")
        and one["configuration"].get("isEnabled")
        and one.get("status") in ("rejected", "queued", "running", "broken")
    ]


def builds(evaluations: Iterable[Json]) -> Iterator[tuple[str, CheckState]]:
    """Yield name and state of each build that a policy asks for."""
    states: dict[str, CheckState] = {"approved": "success", "rejected": "failure"}
    for one in evaluations:
        configuration = one["configuration"]
        if (configuration.get("type") or {}).get("id") == BUILD:
            yield _build_name(configuration), states.get(str(one.get("status")), "pending")


def approvals_wanted(policies: Iterable[Json]) -> int:
    """Return how many approvals policies ask for."""
    counts = (
        int(one["settings"].get("minimumApproverCount") or 0)
        for one in policies
        if one["type"]["id"] == REVIEWERS
    )
    return max(counts, default=0)


def checks_wanted(policies: Iterable[Json]) -> Iterator[str]:
    """Yield the names of the statuses and builds that policies ask for."""
    for one in policies:
        if one["type"]["id"] == STATUS:
            yield status_of(one)
        elif one["type"]["id"] == BUILD:
            yield _build_name(one)


def status_of(policy: Json) -> str:
    """Return the name of the status that a policy asks for."""
    settings = policy["settings"]
    return status_name({"genre": settings.get("statusGenre"), "name": settings.get("statusName")})


def _build_name(policy: Json) -> str:
    settings = policy.get("settings") or {}
    return str(settings.get("displayName") or f"build {settings.get('buildDefinitionId')}")
