"""Causes that no second try mends: each is told apart, and has the way out that fits."""

from __future__ import annotations

import pytest

from gitops.adapters.gitrepo.command.messages import (
    AnswerKind,
    error_of,
    read_push,
    read_transport,
)
from gitops.errors import Denied, GitopsError, HookDeclined, NotFound, Protected

A = "a" * 40
HTTPS = "https://git.example.com/m.git"
SSH = "ssh://git@git.example.com:2222/m.git"
ACCESS = f"fatal: unable to access '{HTTPS}/': "
UNREAD = "\nfatal: Could not read from remote repository.\n"

TRANSPORT: list[tuple[str, type[GitopsError], str]] = [
    # No ssh: Git alone, Git by way of dash and of bash, and a program that somebody named.
    ("error: cannot run ssh: No such file or directory\nfatal: unable to fork", NotFound,
     "install OpenSSH"),
    ("ssh -o BatchMode=yes: 1: ssh: not found" + UNREAD, NotFound, "install OpenSSH"),
    ("sh: line 1: ssh: command not found" + UNREAD, NotFound, "install OpenSSH"),
    ("fatal: cannot run /opt/ssh: No such file or directory", NotFound, "install OpenSSH"),
    ("No user exists for uid 1234\r" + UNREAD, Denied, "/etc/passwd"),
    ("Host key verification failed.\r" + UNREAD, Denied, "ssh-keyscan -p 2222 git.example.com >>"),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key for git.example.com has "
     "changed and you have requested strict checking.\nHost key verification failed." + UNREAD,
     Denied, "ssh-keygen -R '[git.example.com]:2222'"),
    ("bash: line 1: git-upload-pack: command not found" + UNREAD, NotFound, "install Git on the"),
    ("fatal: protocol error: bad line length character: Welc", Denied, "greeting"),
    ("Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: "
     "ssh-rsa" + UNREAD, Denied, "in common"),
    ("/root/.ssh/config: line 3: Bad configuration option: x" + UNREAD, Denied, "~/.ssh/config"),
    ("Permissions 0644 for '/root/.ssh/id' are too open.\nThis private key will be ignored.\n"
     "git@x: Permission denied (publickey)." + UNREAD, Denied, "chmod 600"),
    ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures" + UNREAD,
     Denied, "IdentitiesOnly"),
    (ACCESS + "gnutls_handshake() failed: An unexpected TLS packet was received.", Denied,
     "speaks no TLS"),
    (ACCESS + "OpenSSL/3.0: error:0A00010B:SSL routines::wrong version number", Denied,
     "speaks no TLS"),
    (ACCESS + "OpenSSL: error:0A00045C:SSL routines::tlsv13 alert certificate required", Denied,
     "http.sslCert"),
    # A certificate of another name: curl over GnuTLS, and over OpenSSL, old and new.
    (ACCESS + "SSL: certificate subject name (a.example) does not match target host name "
     "'git.example.com'", Denied, "another name"),
    (ACCESS + "SSL: no alternative certificate subject name matches target host name "
     "'git.example.com'", Denied, "another name"),
    ("fatal: bad config line 1 in file /root/.gitconfig", Denied, "mend Git's configuration"),
    ("fatal: bad boolean config value 'maybe' for 'http.sslverify'", Denied, "mend Git's"),
    # A CA that nobody gave.
    (ACCESS + "server certificate verification failed. CAfile: none CRLfile: none", Denied,
     "http.sslCAInfo"),
    (ACCESS + "SSL certificate problem: unable to get local issuer certificate", Denied,
     "http.sslCAInfo"),
    (ACCESS + "SSL certificate problem: self-signed certificate in certificate chain", Denied,
     "http.sslCAInfo"),
    (ACCESS + "SSL certificate problem: certificate has expired", Denied, "clock"),
    (ACCESS + "Problem with the SSL CA cert (path? access rights?)", Denied, "cannot be read"),
    (ACCESS + "error setting certificate verify locations:  CAfile: /x CApath: none", Denied,
     "cannot be read"),
    (ACCESS + "The requested URL returned error: 407", Denied, "proxy"),
    (ACCESS + "Received HTTP code 407 from proxy after CONNECT", Denied, "proxy"),
    (ACCESS + "CONNECT tunnel failed, response 407", Denied, "proxy"),
    ("git: 'remote-https' is not a git command. See 'git --help'.", NotFound, "helpers"),
    ("fatal: unable to find remote helper for 'https'", NotFound, "helpers"),
    ("fatal: Server does not support shallow clients", Denied, "smart"),
    ("fatal: dumb http transport does not support shallow capabilities", Denied, "smart"),
    ("fatal: the receiving end does not support push options", Denied, "smart"),
]  # fmt: skip


@pytest.mark.parametrize(("err", "kind", "hint"), TRANSPORT)
def test_cause(err: str, kind: type[GitopsError], hint: str) -> None:
    """It is told at once (exit 3), and the way out fits; no token is asked for."""
    place = SSH if "Host" in err else HTTPS
    error = error_of(read_transport(err), place)

    assert kind is type(error)
    assert 3 == error.exit_code
    assert hint in (error.hint or "")
    assert "token" not in (error.hint or "")
    assert place in error.message


def test_a_server_does_not_choose_the_hint() -> None:
    """What the server says in its own lines is no cause of this machine."""
    err = "remote: No user exists for uid 0\nremote: ssh: not found\nfatal: early EOF"

    assert AnswerKind.UNAVAILABLE is read_transport(err).kind


def test_a_proxy_that_fails_is_no_proxy_that_asks() -> None:
    """Another answer of a proxy may pass."""
    err = ACCESS + "CONNECT tunnel failed, response 503"

    assert read_transport(err).cause is None


PROTECTED = "[remote rejected] (protected branch hook declined)"
RULES = "[remote rejected] (push declined due to repository rule violations)"
HOOK = "[remote rejected] (pre-receive hook declined)"
RULE: list[tuple[str, str, type[GitopsError], str]] = [
    (PROTECTED, "error: GH006: Protected branch update failed for refs/heads/main.\n"
     "remote: error: Commits must have verified signatures.", Protected, "commit.gpgSign"),
    (RULES, "error: GH013: Repository rule violations found for refs/heads/main.\n"
     "remote: - Commits must have verified signatures.", Protected, "commit.gpgSign"),
    (HOOK, "GitLab: Commit must be signed with a GPG key", HookDeclined, "commit.gpgSign"),
    (HOOK, "Gitea: branch main is protected from unverified commit 1234", Protected,
     "commit.gpgSign"),
    (RULES, "error: GH013: Repository rule violations found for refs/heads/main.\n"
     "remote: - This branch must not contain merge commits.", Protected, "mergeMethod: squash"),
    (PROTECTED, "error: GH006: Protected branch update failed for refs/heads/main.\n"
     "remote: error: Changes must be made through a pull request.", Protected,
     "change: pull-request"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "said", "kind", "hint"), RULE)
def test_rule(reason: str, said: str, kind: type[GitopsError], hint: str) -> None:
    """Which rule of the branch it was decides about the way out."""
    out = f"To x\n!\t{A}:refs/heads/main\t{reason}\nDone\n"
    error = error_of(read_push(1, out, f"remote: {said}\n"), "main of x")

    assert kind is type(error)
    assert hint in (error.hint or "")


def test_a_long_speech_is_quoted_by_its_end() -> None:
    """Of many lines the last few are told, in words that fit on a screen."""
    said = "".join(f"remote: line {number} {'x' * 3000}\n" for number in range(5000))
    out = f"!\t{A}:refs/heads/main\t{HOOK}\n"
    words = read_push(1, out, said + "remote: ask ana\n").words

    assert words.endswith("; ask ana")
    assert words.startswith("…")
    assert "line 0 " not in words
    assert 4000 > len(words)
