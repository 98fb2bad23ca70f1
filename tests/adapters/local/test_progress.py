"""What a waiting person is told: tries fold into one line that counts."""

from __future__ import annotations

import io

from gitops.adapters.local.progress import Progress

TROUBLE = "https://git.example.com/m.git is unavailable: Connection refused"


def told(*, rewrites: bool, tries: int) -> str:
    """Return what is printed of so many tries, each of which waits for the server again."""
    stream = io.StringIO()
    progress = Progress(stream, rewrites=rewrites)
    for number in range(1, tries + 1):
        progress.say("waiting for git.example.com")
        progress.retry(TROUBLE, f"trying again ({number} tries, 1 s gone, 59 s left)")
    return stream.getvalue()


def test_a_log_counts_in_doubles() -> None:
    """Where nothing can be taken back, sixty tries are seven lines."""
    lines = told(rewrites=False, tries=60).splitlines()

    assert "… waiting for git.example.com" == lines[0]
    assert [1, 2, 4, 8, 16, 32] == [int(line.split("(")[1].split()[0]) for line in lines[1:]]
    assert all(TROUBLE in line for line in lines[1:])


def test_a_terminal_shows_one_line() -> None:
    """On a terminal the line is written over, and says how often it was tried and what is left."""
    printed = told(rewrites=True, tries=60)

    assert 59 == printed.count("\x1b[1A\r\x1b[K")
    assert 1 == printed.count("waiting for")
    assert "(60 tries, 1 s gone, 59 s left): " in printed.splitlines()[-1]
    assert 80 > max(map(len, printed.replace("\x1b[1A\r\x1b[K", "").splitlines()))


def test_another_trouble_is_another_line() -> None:
    """What is new is told at once, below the count of what was before."""
    stream = io.StringIO()
    progress = Progress(stream, rewrites=True)
    progress.retry("one", "trying again")
    progress.retry("two", "trying again")
    progress.say("done waiting")
    progress.retry("two", "trying again")

    assert "\x1b" not in stream.getvalue()
    assert 4 == len(stream.getvalue().splitlines())


def test_a_server_gives_no_commands() -> None:
    """Words of a server are one line, which no CI runner and no terminal obeys."""
    stream = io.StringIO()
    Progress(stream, rewrites=False).retry("##vso[task.x]\x1b[2J\n::error::", "trying again")

    assert "… ## vso[task.x] [2J ::error::; trying again\n" == stream.getvalue()
