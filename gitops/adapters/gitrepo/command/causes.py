"""Causes that no second try mends: what Git, curl and ssh call them, and the way out. Pure.

The wordings are those of curl over OpenSSL and over GnuTLS, of OpenSSH, of Git, and of the servers
whose rules are named.
"""

from __future__ import annotations

import re
import shlex

from msgspec import Struct

from gitops.core.git.remote_url import find_remote_url


class Cause(Struct, frozen=True):
    """One cause.

    Attributes:
        pattern: what is said of it, a regular expression.
        hint: the way out; `{host}` and `{keyscan}` are of the repository's address.
        told: what is said in place of the original words, with the groups of the pattern.
        missing: True where something is not there; else something is not allowed.
    """

    pattern: str
    hint: str
    told: str | None = None
    missing: bool = False

    def words(self, text: str, words: str) -> str:
        """Return what to tell of it; `words` are what was said, in `text`."""
        found = re.search(self.pattern, text)
        return words if self.told is None or found is None else found.expand(self.told)

    def way_out(self, place: str) -> str:
        """Return the hint for the repository at `place`."""
        remote = find_remote_url(place)
        host = remote.host.strip("[]") if remote is not None and remote.host else "HOST"
        port = remote.other_port if remote is not None else None
        known = host if port is None else f"[{host}]:{port}"
        scan = ["ssh-keyscan", *(["-p", str(port)] if port is not None else []), host]
        return self.hint.replace("{keyscan}", shlex.join(scan)).replace(
            "{host}", shlex.quote(known)
        )


_TRANSPORT = (
    Cause(
        r"(?i)bad config (?:line|variable|value)|bad (?:numeric|boolean) config value"
        r"|unknown error occurred while reading the configuration",
        "mend Git's configuration; git config --list --show-origin tells where it stands",
    ),
    Cause(
        r"(?:cannot run |: )(\S*(?:ssh|plink)\S*): (?:No such file or directory|(?:command )?not"
        r" found)",
        "install OpenSSH's client, or give an https:// address",
        told=r"there is no program \1 here",
        missing=True,
    ),
    Cause(
        r"No user exists for uid (\d+)",
        "give the account a name in /etc/passwd (ssh does nothing without), or give an https:// "
        "address",
        told=r"the account number \1 that gitops runs as has no name here, and ssh wants one",
    ),
    Cause(
        r"(?i)remote host identification has changed|host key for \S+ has changed",
        "its key is another one than in known_hosts: ask who runs the server whether it was "
        "changed, and only then: ssh-keygen -R {host}",
        told="the server does not have the key that known_hosts has for it",
    ),
    Cause(
        r"(?i)host key verification failed|no \S+ host key is known for",
        "compare the fingerprint with what the server's owner publishes, then: "
        "{keyscan} >> ~/.ssh/known_hosts",
    ),
    Cause(
        r"git-(?:upload|receive)-pack: (?:command )?not found",
        "install Git on the server, or put it on the PATH that this account has there",
        told="the server finds no Git",
        missing=True,
    ),
    Cause(
        r"protocol error: bad line length character: (\S*)",
        "the account's shell there prints a greeting, or lets nobody in: it must say nothing when "
        "Git calls",
        told=r"the server does not speak Git, it begins with \1",
    ),
    Cause(
        r"(?i)unable to negotiate with \S+ port \d+: no matching [^.\n]*",
        "ssh and the server have no such algorithm in common: the server needs an update, or "
        "~/.ssh/config must allow its older ones for this host",
    ),
    Cause(
        r"(?i)bad configuration option|bad owner or permissions on",
        "mend what ssh reads: ~/.ssh/config, GIT_SSH_COMMAND or Git's core.sshCommand",
    ),
    Cause(
        r"(?i)permissions \S+ for '([^'\n]*)' are too open",
        "ssh leaves a key alone that others may read: chmod 600 on it",
        told=r"the key \1 may be read by others",
    ),
    Cause(
        r"(?i)too many authentication failures",
        "ssh offered too many keys: name the right one in ~/.ssh/config, with IdentityFile and "
        "IdentitiesOnly yes",
    ),
    Cause(
        r"(?i)does not match target host name|no alternative certificate subject name"
        r"|certificate owner does not match|hostname mismatch|ip address mismatch",
        "its certificate is for another name: give --repo the name that stands in it, or let the "
        "server get one for this name",
    ),
    Cause(
        r"(?i)certificate (?:has expired|is not yet valid)|certificate verify failed: .*expired",
        "the server needs a new certificate; or the clock of this machine is wrong",
    ),
    Cause(
        r"(?i)problem with the ssl ca cert|error (?:setting certificate|reading ca cert|adding "
        r"trust anchors)|certificate verify locations",
        "the file of GIT_SSL_CAINFO, GIT_SSL_CAPATH or Git's http.sslCAInfo cannot be read",
    ),
    Cause(
        r"(?i)unexpected tls packet|wrong version number|packet with illegal",
        "this port speaks no TLS: give another port, or http:// where it may be in the clear",
    ),
    Cause(
        r"(?i)alert (?:certificate required|handshake failure)|certificate is required",
        "the server may want a certificate of yours: git config --global http.sslCert FILE, and "
        "http.sslKey FILE",
    ),
    Cause(
        r"(?i)ssl certificate problem|certificate verification failed|self[- ]signed certificate"
        r"|unable to get local issuer",
        "tell Git whom to trust: git config --global http.sslCAInfo FILE-OF-THE-CA, or "
        "GIT_SSL_CAINFO",
    ),
    Cause(
        r"(?i)returned error: 407|proxy authentication required|http code 407|response 407",
        "the proxy wants to know who asks: give https_proxy (or Git's http.proxy) user and "
        "password, or name the host in no_proxy",
    ),
    Cause(
        r"(?i)unable to find remote helper for '([^']*)'|'remote-(\S+)' is not a git command",
        "give an https:// or ssh:// address; a Git without https needs its package of helpers",
        missing=True,
    ),
    Cause(
        r"(?i)(?:server|receiving end|dumb http transport|underlying transport|ssh variant \S+) "
        r"does not support (?!--atomic)|unsupported (?:protocol|url scheme)",
        "the server, or the way to it, cannot do what gitops needs: it must speak Git's smart "
        "protocol",
    ),
)

_RULES = (
    Cause(
        r"(?i)must have verified signatures|must be signed|unverified commit|unsigned commit"
        r"|signed commits",
        "gitops signs as Git does: git config --global commit.gpgSign true, with user.signingKey "
        "(and gpg.format ssh); the server must know the key of this account",
    ),
    Cause(
        r"(?i)must not contain merge commits|merge commits? (?:is|are) not allowed"
        r"|linear history",
        "without a forge an approval is a merge commit: let the branch take those, or have the "
        "forge merge, with `pullRequest: {mergeMethod: squash}` in gitops.yaml",
    ),
)


def transport_cause(err: str) -> Cause | None:
    """Return why an exchange with a server cannot work, None where it might another time."""
    return next((cause for cause in _TRANSPORT if re.search(cause.pattern, err)), None)


def rule_cause(text: str) -> Cause | None:
    """Return which rule of a branch the kind of commit broke, None when another one did."""
    return next((cause for cause in _RULES if re.search(cause.pattern, text)), None)
