"""Lanes that build nothing: left out by name where a program is missing, or demanded."""

from __future__ import annotations

import pytest

from servers import lanes


@pytest.mark.parametrize(
    ("lane", "package"),
    [
        ("ssh", "openssh-server openssh-client"),
        ("tls", "openssl"),
        ("registry", "docker-registry"),
        ("database", "postgresql"),
    ],
)
def test_a_missing_program_is_named(
    monkeypatch: pytest.MonkeyPatch, lane: str, package: str
) -> None:
    """Without its programs a lane is skipped, with the packages to install."""
    monkeypatch.delenv(f"GITOPS_REQUIRE_{lane.upper()}", raising=False)
    monkeypatch.setattr(lanes, "find_program", lambda name: None)
    with pytest.raises(pytest.skip.Exception) as skipped:
        lanes.need(lane)

    assert f"lane {lane}: " in str(skipped.value)
    assert f"apt install {package})" in str(skipped.value)


def test_a_demanded_lane_is_no_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lane is demanded, the missing program is a failure."""
    monkeypatch.setenv("GITOPS_REQUIRE_SSH", "1")
    monkeypatch.setattr(lanes, "find_program", lambda name: None)
    with pytest.raises(pytest.fail.Exception, match="GITOPS_REQUIRE_SSH is set"):
        lanes.need("ssh")
