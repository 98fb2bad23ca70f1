"""What a waiting person is told: tries fold into one line that counts."""

from __future__ import annotations

import io

from gitops.adapters.local.progress import Progress
from gitops.core.text.counting import counted, counted_stream

UP = "\x1b[1A\r\x1b[K"
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


def test_work_is_counted_on_a_terminal_after_a_second() -> None:
    """One line that is written over, and goes at the end; nothing for what is over at once."""
    stream, now = io.StringIO(), [0.0]
    told = Progress(stream, rewrites=True, clock=lambda: now[0])
    for done in range(3):
        told.count("reading dev", done, 3)
    told.count("reading dev", 3, 3)
    assert stream.getvalue() == ""
    for done in range(1200):
        told.count("reading prod", done, 1200)
        now[0] += 0.0625
    lines = stream.getvalue().split("\n")
    assert lines[0] == "… reading prod: 16 of 1,200"
    assert lines[-2] == f"{UP}… reading prod: 1,198 of 1,200"
    assert len(lines) < 620
    told.count("reading prod", 1200, 1200)
    assert stream.getvalue().endswith(f"1,198 of 1,200\n{UP}")
    for done in range(300):
        told.count("reading releases", done, 0)
        now[0] += 0.0625
    assert "… reading releases: 298\n" in stream.getvalue()


def test_work_is_not_counted_elsewhere() -> None:
    """A log of CI gets no line of it."""
    stream, now = io.StringIO(), [0.0]
    told = Progress(stream, rewrites=False, clock=lambda: now[0])
    for done in range(500):
        told.count("reading dev", done, 1000)
        now[0] += 1
    assert stream.getvalue() == ""


def test_counting_ends_with_the_work() -> None:
    """Also when the loop is left early, or fails; one thing is not counted."""
    told: list[tuple[str, int, int]] = []

    def count(doing: str, done: int, total: int) -> None:
        told.append((doing, done, total))

    for one in counted(count, "x", [1, 2, 3]):
        if one == 2:
            break
    assert told == [("x", 0, 3), ("x", 1, 3), ("x", 3, 3)]
    told.clear()
    assert list(counted(count, "x", ["alone"])) == ["alone"]
    assert told == []
    assert list(counted_stream(count, "y", iter("ab"))) == ["a", "b"]
    assert told == [("y", 1, 0), ("y", 2, 0), ("y", 2, 2)]
