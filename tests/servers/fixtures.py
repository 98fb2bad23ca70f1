"""A pytest plugin: the real servers as fixtures, and the lanes that were left out by name."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.gitea import GiteaServer, gitea_options
from servers.lanes import absent, leave_out, left_out, need
from servers.processes import CannotStartError
from servers.programs import find_program
from servers.registry import DockerRegistry, registry_options
from servers.sharing import run_folder, share

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_LOG_LINES = 40
_LOGS = pytest.StashKey[list[tuple[str, Path, int]]]()


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


@pytest.fixture(scope="session")
def docker_registry() -> DockerRegistry:
    """Debian's registry, shared by the whole run: take paths of your own with `new_path`."""
    need("registry")
    try:
        record = share("registry", "servers.registry", registry_options())
    except CannotStartError as error:
        pytest.fail(f"lane registry: docker-registry did not start: {error}", pytrace=False)
    return DockerRegistry.of(record)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    need("browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = find_program("chromium-headless-shell")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _log_of_gitea(request: pytest.FixtureRequest) -> None:
    """Have what the server logs during a test shown when that fails."""
    if "gitea" in request.fixturenames:
        server: GiteaServer = request.getfixturevalue("gitea")
        show_when_failed(request.node, {"gitea": server.folder / "logs" / "gitea.log"})


def show_when_failed(item: pytest.Item, logs: Mapping[str, Path]) -> None:
    """Attach the end of what is written to these logs from now on, should the test fail."""
    now = {name: path.stat().st_size if path.exists() else 0 for name, path in logs.items()}
    item.stash.setdefault(_LOGS, []).extend((name, logs[name], size) for name, size in now.items())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the logs into the report of a failure."""
    report = yield
    if report.failed:
        for name, path, before in item.stash.get(_LOGS, ()):
            text = path.read_bytes()[before:].decode(errors="replace") if path.exists() else ""
            shown = "\n".join(text.splitlines()[-_LOG_LINES:]) or "(nothing)"
            report.sections.append((f"log of {name}", shown))
    return report
