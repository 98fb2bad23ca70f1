"""The command line against a real Git server over HTTP: the main job, crowds, and every fault."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import warm
from manifests import Manifests
from servers.git_http import Behaviour, GitServer

DEV = "overlays/dev/kustomization.yaml"
TEST = "overlays/test/kustomization.yaml"
SECRET = "hunter2-planted"


def test_main_job_over_http(manifests: Manifests, server: GitServer) -> None:
    """From an unrelated folder: two lines in two files, one commit; back with a hold; CI skips."""
    before = manifests.file(DEV)
    bumped = manifests.gitops("deploy", "shop/api:1.4.2", "--ref", "main", repo=server.repo)
    stat_ = manifests.git("show", "--numstat", "--format=", "main").splitlines()
    back = manifests.gitops("rollback", "dev", repo=server.repo)
    again = manifests.gitops("deploy", "shop/api:1.4.3", "--ref", "main", repo=server.repo)

    assert (0, 0, 0) == (bumped.code, back.code, again.code), bumped.err + back.err + again.err
    assert [f"1\t1\t{DEV}", f"1\t1\t{TEST}"] == stat_
    assert before == manifests.file(DEV)
    assert "skipped dev: held by" in again.out
    assert "1.4.3" in manifests.file(TEST)


@pytest.mark.parametrize("named", [(), ("--branch", "main")])
@pytest.mark.parametrize(("protocol", "asked"), [("2", (2, 1)), ("0", (3, 2))])
def test_requests_of_a_cold_deploy(
    manifests: Manifests,
    server: GitServer,
    named: tuple[str, ...],
    protocol: str,
    asked: tuple[int, int],
) -> None:
    """A cold deploy asks twice to fetch and once to push; by git, here of protocol 0, 3 and 2."""
    environ = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.version",
        "GIT_CONFIG_VALUE_0": protocol,
    }
    done = manifests.gitops(
        *("deploy", "shop/api:1.4.2", "--to", "dev", *named), repo=server.repo, env=environ
    )

    assert 0 == done.code, done.err

    assert asked == (server.count(push=False), server.count(push=True))


def crowd(manifests: Manifests, server: GitServer, calls: list[list[str]]) -> list[int]:
    """Run all calls at once, as processes, and return their exit codes."""
    environ = {**os.environ, "GITOPS_REPO": server.repo}
    running = [
        warm.start([*arguments, "--push-timeout", "110s"], manifests.elsewhere, environ)
        for arguments in calls
    ]
    errors = [process.communicate()[1] for process in running]
    assert not any(b"Traceback" in text for text in errors)
    return [process.returncode for process in running]


def ids(manifests: Manifests) -> list[str]:
    """Every Gitops-Id on main."""
    log = manifests.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)", "main")
    return log.split()


@pytest.mark.slow
def test_32_writers_each_its_own_image(manifests: Manifests, server: GitServer) -> None:
    """32 processes at once on one branch: all land, once each, none lost."""
    entries = "".join(f"  - name: shop/s{n}\n    newTag: old # {n}\n" for n in range(32))
    manifests.commit("32 services", {DEV: f"images:\n{entries}"})

    codes = crowd(
        manifests,
        server,
        [["deploy", f"shop/s{number}:new-{number}", "--to", "dev"] for number in range(32)],
    )

    assert [0] * 32 == codes
    wanted = "".join(f"  - name: shop/s{n}\n    newTag: new-{n} # {n}\n" for n in range(32))
    assert f"images:\n{wanted}" == manifests.file(DEV)
    assert 32 == len(ids(manifests)) == len(set(ids(manifests)))
    manifests.git("fsck", "--strict")


@pytest.mark.slow
def test_8_writers_of_one_image(manifests: Manifests, server: GitServer) -> None:
    """8 processes on the same image: all exit 0, each change in the history, befores right."""
    codes = crowd(
        manifests, server, [["deploy", f"shop/api:v{n}", "--to", "dev"] for n in range(8)]
    )
    subjects = manifests.git("log", "--format=%s", "--reverse", "main").splitlines()[1:]

    assert [0] * 8 == codes
    steps = [subject.removeprefix("dev: shop/api ").split(" -> ") for subject in subjects]
    assert {f"v{n}" for n in range(8)} == {new for _, new in steps}
    assert ["1.4.1", *(new for _, new in steps[:-1])] == [old for old, _ in steps]


def test_bump_that_lands_while_a_rollback_is_pushed(
    manifests: Manifests, server: GitServer
) -> None:
    """The rollback restores the release it chose, and says what landed and was taken back too."""
    manifests.gitops("deploy", "shop/api:2.0.0", "--to", "dev")
    landed: list[int] = []

    def bump() -> None:
        if not landed:
            landed.append(manifests.gitops("deploy", "shop/api:2.0.1", "--to", "dev").code)

    server.behaviour = Behaviour(before_push=bump)
    result = manifests.gitops("rollback", "dev", "-o", "json", repo=server.repo)

    assert [0] == landed
    assert (0, 2) == (result.code, result.json["attempts"]), result.err
    assert "newTag: 1.4.1" in manifests.file(DEV).replace('"', "").replace("'", "")
    assert any("2.0.1" in note and "taken back" in note for note in result.json["notes"])
    assert "2.0.1" == result.json["changes"][0]["before"]["tag"]


def test_hold_that_lands_while_a_deploy_is_pushed(manifests: Manifests, server: GitServer) -> None:
    """A hold set in between is read from the tip that the retry builds on."""
    held: list[int] = []

    def hold() -> None:
        if not held:
            held.append(manifests.gitops("hold", "dev", "--reason", "INC-1").code)

    server.behaviour = Behaviour(before_push=hold)
    result = manifests.gitops(
        "deploy", "shop/api:2.0.0", "--ref", "main", "-o", "json", repo=server.repo
    )

    assert 0 == result.code
    assert ["test"] == [change["environment"] for change in result.json["changes"]]
    assert "held by" in result.json["skipped"][0]["reason"]
    assert "1.4.1" in manifests.file(DEV)


def test_answer_that_got_lost(manifests: Manifests, server: GitServer) -> None:
    """The push lands, the connection dies: the intent is found by its id, and made once."""
    cut = Behaviour(cut_push=True, only_push=True)
    server.behaviour = cut
    result = manifests.gitops(
        "deploy", "shop/api:2.0.0", "--to", "dev", "-o", "json", repo=server.repo
    )

    assert (0, "committed") == (result.code, result.json["outcome"]), result.err
    assert manifests.git("rev-parse", "main").strip() == result.json["commit"]
    assert 2 == len(manifests.git("log", "--format=%H", "main").split())


@pytest.mark.parametrize(
    ("behaviour", "code", "word"),
    [
        (Behaviour(credentials=("ci", "right")), 3, "denied"),
        (Behaviour(status=403), 3, "denied"),
        (Behaviour(status=404), 3, "not-found"),
        (Behaviour(status=429), 75, "unavailable"),
        (Behaviour(status=500), 75, "unavailable"),
        (Behaviour(status=503), 75, "unavailable"),
        (Behaviour(page=True), 75, "unavailable"),
        (Behaviour(hang=True), 75, "timed-out"),
        (Behaviour(status=403, only_push=True), 3, "denied"),
        (Behaviour(status=500, only_push=True), 75, "unavailable"),
        (Behaviour(hang=True, only_push=True), 75, "timed-out"),
    ],
)
def test_server_that_says_no(
    manifests: Manifests, server: GitServer, behaviour: Behaviour, code: int, word: str
) -> None:
    """Each answer has its code and word; nothing is written; no secret is told."""
    head = manifests.git("rev-parse", "main")
    server.behaviour = behaviour
    where = server.repo.replace("http://", f"http://ci:{SECRET}@")
    result = manifests.gitops(
        *("deploy", "shop/api:2", "--to", "dev", "-o", "json", "--push-timeout", "2s"), repo=where
    )

    assert (code, word) == (result.code, result.json["error"]["code"]), result.err
    assert SECRET not in result.out + result.err
    assert "Traceback" not in result.err
    assert head == manifests.git("rev-parse", "main")


def test_server_that_is_not_there(manifests: Manifests) -> None:
    """Nobody listens: 75 after the budget."""
    result = manifests.gitops(
        *("deploy", "shop/api:2", "--to", "dev", "-o", "json", "--push-timeout", "1s"),
        repo="http://127.0.0.1:9/manifests.git",
    )

    assert (75, "unavailable") == (result.code, result.json["error"]["code"])


def test_credentials_in_the_url_stay_out_of_the_commit_and_the_output(
    manifests: Manifests, server: GitServer
) -> None:
    """A password in the URL works, and is seen nowhere."""
    server.behaviour = Behaviour(credentials=("ci", SECRET))
    where = server.repo.replace("http://", f"http://ci:{SECRET}@")
    result = manifests.gitops("deploy", "shop/api:2", "--to", "dev", "-o", "json", repo=where)

    assert 0 == result.code, result.err
    assert SECRET not in result.out + result.err
    assert SECRET not in manifests.git("log", "-1", "--format=%B", "main")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("no deploys on Fridays", "hook-declined"),
        (
            "GitLab: You are not allowed to push code to protected branches on this project.",
            "protected",
        ),
        ("Not allowed to push to protected branch main", "protected"),
    ],
)
def test_hook_that_declines(manifests: Manifests, server: GitServer, words: str, code: str) -> None:
    """A pre-receive hook's words are shown, and it is not asked again."""
    hook = manifests.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    result = manifests.gitops("deploy", "shop/api:2", "--to", "dev", "-o", "json", repo=server.repo)

    assert (3, code) == (result.code, result.json["error"]["code"])
    assert words in result.json["error"]["message"]
    assert 1 == server.count(push=True)


def test_nobody_is_known_to_be_the_author(
    manifests: Manifests, server: GitServer, tmp_path: Path
) -> None:
    """Without an identity anywhere: 3, with the way out; GITOPS_AUTHOR is one."""
    empty = tmp_path / "gitconfig"
    empty.write_text("[user]\n    useConfigOnly = true\n")
    environ = {"GIT_CONFIG_GLOBAL": str(empty), "HOME": str(tmp_path)}
    arguments = ("deploy", "shop/api:2", "--to", "dev", "-o", "json")
    nobody = manifests.gitops(*arguments, repo=server.repo, env=environ)
    named = manifests.gitops(
        *arguments,
        repo=server.repo,
        env=environ | {"GITOPS_AUTHOR": "CI Bot <ci@example.com>"},
    )

    assert (3, "not-found") == (nobody.code, nobody.json["error"]["code"])
    assert "GITOPS_AUTHOR" in (nobody.json["error"]["hint"] or "")
    assert 0 == named.code
    assert (
        "CI Bot <ci@example.com>"
        == manifests.git("log", "-1", "--format=%an <%ae>", "main").strip()
    )


@pytest.mark.slow
@pytest.mark.parametrize(("place", "writers"), [("bare", 16), ("clone", 8), ("plain", 8)])
def test_crowd_on_paths(manifests: Manifests, place: str, writers: int) -> None:
    """Many processes on a path: bare, a clone of it, a checkout without a remote; none is lost."""
    entries = "".join(f"  - name: shop/s{n}\n    newTag: old\n" for n in range(writers))
    manifests.commit("many services", {DEV: f"images:\n{entries}"})
    repo = manifests.path if place == "bare" else manifests.checkout
    if place == "plain":
        subprocess.run(["git", "-C", str(repo), "remote", "remove", "origin"], check=True)
    running = [
        warm.start(
            ["deploy", f"shop/s{n}:new-{n}", "--to", "dev"],
            manifests.elsewhere,
            {**os.environ, "GITOPS_REPO": str(repo)},
        )
        for n in range(writers)
    ]
    errors = [process.communicate()[1].decode() for process in running]
    where = repo if place == "plain" else manifests.path
    shown = subprocess.run(
        ["git", "-C", str(where), "show", f"main:{DEV}"], capture_output=True, text=True, check=True
    ).stdout

    assert [0] * writers == [process.returncode for process in running], errors
    assert [f"newTag: new-{n}" for n in range(writers)] == [
        line.strip() for line in shown.splitlines() if "newTag" in line
    ]
    if place == "plain":
        assert shown == (repo / DEV).read_text()


def test_branch_that_keeps_moving(manifests: Manifests, server: GitServer) -> None:
    """Every push loses: 75 `conflict` after the budget, with the number of tries."""

    def move() -> None:
        tree = manifests.git("rev-parse", "main^{tree}").strip()
        words = ("-c", "user.name=Mona", "-c", "user.email=mona@example.com", "commit-tree", tree)
        commit = manifests.git(*words, "-p", "main", "-m", "somebody else").strip()
        manifests.git("update-ref", "refs/heads/main", commit)

    server.behaviour = Behaviour(before_push=move)
    result = manifests.gitops(
        *("deploy", "shop/api:2", "--to", "dev", "-o", "json", "--push-timeout", "3s"),
        repo=server.repo,
    )

    assert (75, "conflict") == (result.code, result.json["error"]["code"]), result.err
    assert "1.4.1" in manifests.file(DEV)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(manifests: Manifests, server: GitServer, number: int) -> None:
    """Ctrl-C while a server hangs: 130, one word, nothing written, no folder left."""
    scratch = manifests.elsewhere / "scratch"
    scratch.mkdir()
    server.behaviour = Behaviour(hang=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "gitops", "deploy", "shop/api:2", "--to", "dev"],
        env={**os.environ, "GITOPS_REPO": server.repo, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has all of them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    waiting = process.stderr.readline()  # the progress line: it is in the middle of it now
    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert waiting.startswith("… waiting for")
    assert (130, "error: interrupted\n") == (process.returncode, err)
    assert [] == list(scratch.iterdir())
