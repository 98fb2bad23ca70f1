"""Every known wording of git and of servers, and what it means."""

from __future__ import annotations

import pytest

from gitops.adapters.gitrepo.command.messages import (
    AnswerKind,
    PushVerdict,
    error_of,
    read_push,
    read_transport,
    read_update,
)
from gitops.adapters.gitrepo.command.push import settle
from gitops.errors import Denied, HookDeclined, NoAtomicPush, NotFound, Protected, Unavailable
from gitops.ports import Lost, RefUpdate

A, B = "a" * 40, "b" * 40
MOVED = f"cannot lock ref 'refs/heads/main': is at {A} but expected {B}"
LOCK = "Unable to create '/srv/m.git/refs/heads/main.lock': File exists."
CLASH = (
    "cannot lock ref 'refs/heads/gitops/prod': "
    "'refs/heads/gitops' exists; cannot create 'refs/heads/gitops/prod'"
)

REJECTIONS = [
    ("[rejected] (fetch first)", "", AnswerKind.RACE),
    ("[rejected] (non-fast-forward)", "", AnswerKind.RACE),
    ("[rejected] (stale info)", "", AnswerKind.RACE),
    ("[remote rejected] (failed to update ref)", f"remote: error: {MOVED}", AnswerKind.RACE),
    (f"[remote rejected] ({MOVED})", "", AnswerKind.RACE),
    ("[remote rejected] (incorrect old value provided)", "", AnswerKind.RACE),
    ("[remote rejected] (reference already exists)", "", AnswerKind.RACE),
    (
        "[remote rejected] (TF401028: The reference 'refs/heads/main' has already been updated by "
        "another client, so you cannot update it. Please try again.)",
        "",
        AnswerKind.RACE,
    ),
    ("[remote rejected] (failed to update ref)", f"remote: error: cannot lock ref 'r': {LOCK}",
     AnswerKind.UNAVAILABLE),
    ("[remote rejected] (failed to update ref)", f"remote: error: {CLASH}", AnswerKind.CLASH),
    (f"[remote rejected] ({CLASH})", "", AnswerKind.CLASH),
    (
        "[remote rejected] (protected branch hook declined)",
        "remote: error: GH006: Protected branch update failed for refs/heads/main.",
        AnswerKind.PROTECTED,
    ),
    (
        "[remote rejected] (push declined due to repository rule violations)",
        "remote: error: GH013: Repository rule violations found for refs/heads/main.\n"
        "remote: - Changes must be made through a pull request.",
        AnswerKind.PROTECTED,
    ),
    ("[remote rejected] (pre-receive hook declined)", "remote: error: GH001: Large files detected.",
     AnswerKind.DECLINED),
    ("[remote rejected] (failed)", "remote: error: GH003: Sorry, force-pushing is not allowed",
     AnswerKind.DECLINED),
    ("[remote rejected] (push declined due to email privacy restrictions)",
     "remote: error: GH007: Your push would publish a private email address.", AnswerKind.DECLINED),
    (
        "[remote rejected] (pre-receive hook declined)",
        "remote: GitLab: You are not allowed to push code to protected branches on this project.",
        AnswerKind.PROTECTED,
    ),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: GitLab: You are not allowed to push code to this project.", AnswerKind.DENIED),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: Gitea: Not allowed to push to protected branch main", AnswerKind.PROTECTED),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: Gitea: branch main is protected from force push", AnswerKind.PROTECTED),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: Gitea: branch main is protected from changing file gitops.yaml",
     AnswerKind.PROTECTED),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: Gitea: User permission denied for writing.", AnswerKind.DENIED),
    ("[remote rejected] (pre-receive hook declined)",
     "remote: Permission denied to update branch main.", AnswerKind.PROTECTED),
    (
        "[remote rejected] (TF402455: Pushes to this branch are not permitted; you must use a "
        "pull request to update this branch.)",
        "",
        AnswerKind.PROTECTED,
    ),
    ("[remote rejected] (TF401027: You need the Git 'GenericContribute' permission)", "",
     AnswerKind.DENIED),
    ("[remote rejected] (pre-receive hook declined)", "remote: no deploys on Friday",
     AnswerKind.DECLINED),
    ("[remote rejected] (hook declined)", "remote: cannot lock the door", AnswerKind.DECLINED),
    ("[remote rejected] (branch is currently checked out)", "", AnswerKind.REFUSED),
    ("[remote rejected] (deletion prohibited)", "", AnswerKind.REFUSED),
    ("[remote rejected] (non-fast-forward)", "", AnswerKind.REFUSED),
    ("[remote failure] (remote failed to report status)",
     "fatal: the remote end hung up unexpectedly", AnswerKind.UNAVAILABLE),
    ("[remote rejected] (words of next year)", "remote: nothing known", AnswerKind.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "err", "kind"), REJECTIONS)
def test_rejection(reason: str, err: str, kind: AnswerKind) -> None:
    """Each wording of a rejected branch means what it meant where it was seen."""
    out = f"To https://git.example.com/m.git\n!\t{A}:refs/heads/main\t{reason}\nDone\n"

    assert kind is read_push(1, out, err).kind


TRANSPORT = [
    ("fatal: Authentication failed for 'https://git.example.com/m.git/'", AnswerKind.DENIED),
    ("fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
     AnswerKind.DENIED),
    ("fatal: unable to access 'https://x/m.git/': The requested URL returned error: 403",
     AnswerKind.DENIED),
    ("git@x: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
     AnswerKind.DENIED),
    ("Host key verification failed.\nfatal: Could not read from remote repository.",
     AnswerKind.DENIED),
    ("remote: Not Found\nfatal: repository 'https://x/m.git/' not found", AnswerKind.NOT_FOUND),
    ("fatal: '/srv/gone' does not appear to be a git repository\n"
     "fatal: Could not read from remote repository.", AnswerKind.NOT_FOUND),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 429",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 500",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 502",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 503",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'https://x/': Could not resolve host: x", AnswerKind.UNAVAILABLE),
    ("ssh: Could not resolve hostname x: Name or service not known\n"
     "fatal: Could not read from remote repository.", AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'http://x/': Failed to connect to x port 80: Connection refused",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'http://x/': Couldn't connect to server", AnswerKind.UNAVAILABLE),
    ("ssh: connect to host x port 22: Connection timed out\n"
     "fatal: Could not read from remote repository.", AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'http://x/': Recv failure: Connection reset by peer",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'http://x/': Empty reply from server", AnswerKind.UNAVAILABLE),
    ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", AnswerKind.UNAVAILABLE),
    ("error: RPC failed; curl 52 Empty reply from server\n"
     "fatal: the remote end hung up unexpectedly", AnswerKind.UNAVAILABLE),
    ("fatal: the remote end hung up unexpectedly", AnswerKind.UNAVAILABLE),
    ("fatal: git-http-push failed", AnswerKind.UNAVAILABLE),
    ("fatal: http://x/m.git/info/refs not valid: is this a git repository?",
     AnswerKind.UNAVAILABLE),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 302",
     AnswerKind.MOVED),
    ("fatal: couldn't find remote ref refs/heads/gone", AnswerKind.NO_BRANCH),
    ("fatal: the receiving end does not support --atomic push", AnswerKind.NO_ATOMIC),
    ("fatal: mismatched algorithms: client sha1; server sha256", AnswerKind.OTHER_FORMAT),
    ("fatal: something new", AnswerKind.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("err", "kind"), TRANSPORT)
def test_transport(err: str, kind: AnswerKind) -> None:
    """Each wording of a broken exchange means what it meant where it was seen."""
    assert kind is read_transport(err).kind
    assert kind is read_push(128, "", err).kind


@pytest.mark.parametrize("flag", [" ", "*", "=", "-", "+"])
def test_landed(flag: str) -> None:
    """Every flag but ! has landed, whatever the server says beside it."""
    out = f"To x\n{flag}\t{A}:refs/heads/main\t{A}..{B}\nDone\n"

    verdict = read_push(0, out, "remote: protected branch? Create a new pull request: GH006")

    assert AnswerKind.LANDED is verdict.kind


def test_atomic_push_blames_the_culprit() -> None:
    """Of several branches the one with a reason of its own decides."""
    out = (
        f"To x\n!\t{A}:refs/heads/main\t[remote rejected] (atomic push failed)\n"
        f"!\t{B}:refs/heads/gitops/prod\t[remote rejected] (pre-receive hook declined)\nDone\n"
    )

    verdict = read_push(1, out, "remote: not today")

    assert (AnswerKind.DECLINED, "not today") == (verdict.kind, verdict.words)


def test_server_words_are_shown() -> None:
    """All lines of the server are told, without its frames, padding and colours."""
    err = (
        "remote: =====================        \r\nremote: \x1b[31mno deploys\x1b[0m on Friday   \n"
        "remote: - ask ana\nerror: failed to push some refs to 'x'"
    )
    out = f"!\t{A}:refs/heads/main\t[remote rejected] (pre-receive hook declined)\n"

    assert read_push(1, out, err).words == "no deploys on Friday; - ask ana"


def test_words_before_the_empty_phrase() -> None:
    """Of ssh the line that says something is shown, not the one that says it did not work."""
    err = "Host key verification failed.\nfatal: Could not read from remote repository.\n"

    assert read_transport(err).words == "Host key verification failed."


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        (f"fatal: {MOVED}", AnswerKind.RACE),
        ("fatal: cannot lock ref 'r': reference already exists", AnswerKind.RACE),
        ("fatal: cannot lock ref 'r': unable to resolve reference 'r'", AnswerKind.RACE),
        (f"fatal: {CLASH}", AnswerKind.CLASH),
        (f"fatal: cannot lock ref 'r': {LOCK}", AnswerKind.UNAVAILABLE),
    ],
)
def test_local_update(err: str, kind: AnswerKind) -> None:
    """`git update-ref` says the same things in its own words."""
    assert kind is read_update(err).kind


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("fatal: Authentication failed for 'x'", Denied),
        ("fatal: repository 'x' not found", NotFound),
        ("fatal: the receiving end does not support --atomic push", NoAtomicPush),
        ("fatal: something new", Unavailable),
    ],
)
def test_transport_errors(err: str, kind: type[Exception]) -> None:
    """Each kind has an error with the place in it."""
    error = error_of(read_transport(err), "https://x/m.git")

    assert kind is type(error)
    assert "https://x/m.git" in error.message


def test_unknown_words_and_the_branch_decides() -> None:
    """A rejection that nobody knows is a lost race when the branch moved, else a decision."""
    verdict = PushVerdict(AnswerKind.UNKNOWN, "words of next year")
    updates = [RefUpdate("refs/heads/main", A, B)]

    assert Lost("words of next year") == settle(verdict, updates, "https://x", lambda: True)
    with pytest.raises(HookDeclined, match=r"main of https://x: .* words of next year"):
        settle(verdict, updates, "https://x", lambda: False)


def test_rejection_errors() -> None:
    """Protected, declined and name clash are told apart."""
    kinds = {}
    for reason, err, _ in REJECTIONS:
        verdict = read_push(1, f"!\t{A}:refs/heads/main\t{reason}\n", err)
        kinds[verdict.kind] = type(error_of(verdict, "main of x"))

    assert (Protected, HookDeclined) == (kinds[AnswerKind.PROTECTED], kinds[AnswerKind.DECLINED])
    assert (Denied, Denied) == (kinds[AnswerKind.CLASH], kinds[AnswerKind.REFUSED])
