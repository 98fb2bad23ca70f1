"""Who signed a commit, by git's own check of SSH signatures (Git 2.34 or newer, and ssh-keygen)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import Denied, NotFound

_GOOD = "G"  # `git help log`, %G?: a good signature of a listed key; U is one that nobody listed


def signed_by(git: Git, store: Store, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
    """Return commit -> principal, for those that a key of the allowed-signers file signed.

    All in one git. Only SSH signatures count: the other formats ask the keyring of whoever runs
    this, so their programs are switched off. Raises NotFound without ssh-keygen, Denied when git
    cannot check.
    """
    if not commits:
        return {}
    if shutil.which("ssh-keygen") is None:
        raise NotFound(
            "ssh-keygen is not on PATH: the signatures of the ledger cannot be checked",
            hint="install OpenSSH (openssh-client)",
        )
    handle, path = tempfile.mkstemp(prefix="signers-", dir=store.path)
    with os.fdopen(handle, "wb") as file:
        file.write(signers)
    settings = {
        "gpg.format": "ssh",
        "gpg.ssh.allowedSignersFile": path,
        "gpg.ssh.program": "ssh-keygen",
        "gpg.program": "false",
        "gpg.openpgp.program": "false",
        "gpg.x509.program": "false",
    }
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    answer = git.run(
        [
            *store.args,
            *options,
            # `rev-list` would not read gpg's settings.
            *("log", "--no-walk=unsorted", "--no-show-signature", "--no-color", "--no-patch"),
            *("--format=%H%x09%G?%x09%GS", "--stdin"),
        ],
        feed="".join(f"{commit}\n" for commit in commits).encode(),
        doing="checking the signatures of the ledger",
    )
    os.unlink(path)
    if answer.code != 0:
        raise Denied(
            "the signatures of the ledger cannot be checked: " + messages.words_of(answer.err),
            hint="SSH signatures need Git 2.34 or newer",
        )
    rows = (line.split("\t", 2) for line in answer.text.split("\n") if "\t" in line)
    return {
        commit: principal
        for commit, verdict, principal in rows
        if verdict == _GOOD and is_plain(store.read(commit)[1], store.algorithm)
    }


def is_plain(body: bytes, algorithm: str = "sha1") -> bool:
    """Say whether a commit has only the headers that Git signs, in Git's order, and one signature.

    Git leaves signatures of either hash out of what it signs (Documentation/technical/
    hash-function-transition), and reads past headers that it does not know; with them anybody could
    make other commits of a signed one.
    """
    head, _, _ = body.partition(b"\n\n")
    keys = [line.partition(b" ")[0] for line in head.split(b"\n") if not line.startswith(b" ")]
    signature = b"gpgsig" if algorithm == "sha1" else b"gpgsig-sha256"
    text = b" ".join(keys)
    return (
        re.fullmatch(rb"tree(?: parent)* author committer(?: encoding)? " + signature, text)
        is not None
    )
