"""A pytest plugin: the real servers as fixtures, and the lanes that were left out by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.gitea import GiteaServer, gitea_options
from servers.lanes import absent, leave_out, left_out
from servers.processes import CannotStartError
from servers.sharing import run_folder, share


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the lanes that were skipped, below everything else."""
    for reason, count in sorted(left_out(terminalreporter).items()):
        tests = "test" if count == 1 else "tests"
        terminalreporter.write_line(f"LEFT OUT {reason} ({count} {tests})", yellow=True)


@pytest.fixture(scope="session")
def gitea() -> GiteaServer:
    """A Gitea that the whole run shares: make repositories of your own with `new_repository`."""
    if reason := absent("gitea"):
        leave_out("forge", reason)
    try:
        record = share("gitea", "servers.gitea", gitea_options())
    except CannotStartError as error:
        pytest.fail(f"lane forge: Gitea did not start: {error}", pytrace=False)
    return GiteaServer.of(record, run_folder() / "gitea")


@pytest.fixture(autouse=True)
def _logs_of_gitea(request: pytest.FixtureRequest) -> Iterator[None]:
    """Attach what the server logged during a test, for when that fails."""
    if "gitea" not in request.fixturenames:
        yield
        return
    server: GiteaServer = request.getfixturevalue("gitea")
    log = server.folder / "logs" / "gitea.log"
    before = log.stat().st_size if log.exists() else 0
    yield
    text = log.read_bytes()[before:].decode(errors="replace") if log.exists() else ""
    if text:
        request.node.add_report_section("call", "log of gitea", text)
