"""Every way gitops says no, with its exit code, `error.code` and HTTP status.

::

    GitopsError
    ├─ UsageError        2   usage          the command line makes no sense
    ├─ ConfigError       2   config         gitops.yaml:12:5: environments[0].overlay: is missing
    ├─ Refused           1   refused        policy or a hold said no; carries every reason
    ├─ Differs           1   differs        `diff` found differences
    ├─ Unhealthy         1   unhealthy      the release is live and not healthy
    ├─ NotFound          3   not-found      environment, image, release, branch, repository
    ├─ ManifestError     3   unsafe-edit    the file cannot be edited safely: path:line:col
    ├─ Denied            3   denied         credentials missing or rejected
    │  ├─ Protected      3   protected      a rule of the server keeps the branch
    │  ├─ NoAtomicPush   3   denied         the server cannot move several branches at once
    │  ├─ TooLarge       3   denied         a branch of ours holds more than is read of one
    │  └─ HookDeclined   3   hook-declined  a hook of the server said no; its words are shown
    ├─ TryAgain          75                 nothing is wrong with the request
    │  ├─ Conflict       75  conflict       the branch kept moving until the budget was spent
    │  ├─ Unavailable    75  unavailable    no connection, 5xx, rate limit
    │  └─ TimedOut       75  timed-out      not known yet; carries the last observation
    ├─ Bug               70  bug            an error of gitops itself
    └─ Interrupted       130 interrupted    Ctrl-C

This module imports nothing. Messages are one sentence for a tired person; `hint` is the way out.
"""

from __future__ import annotations


class GitopsError(Exception):
    """Base of all errors that gitops shows.

    Attributes:
        code: the stable word in JSON (`error.code`).
        exit_code: the process exit code.
        message: what is wrong, one or more lines, without secrets.
        hint: the way out, or None.
        reasons: every reason, when there are several (policy, config problems); may be empty.
    """

    code = "bug"
    exit_code = 70

    def __init__(
        self, message: str, *, hint: str | None = None, reasons: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reasons = reasons


class UsageError(GitopsError):
    """The command line makes no sense."""

    code, exit_code = "usage", 2


class ConfigError(GitopsError):
    """`gitops.yaml` is missing or wrong; `reasons` holds one `path:line:col: …` per problem."""

    code, exit_code = "config", 2


class Refused(GitopsError):
    """Policy or a hold said no; `reasons` holds all of them."""

    code, exit_code = "refused", 1


class Differs(GitopsError):
    """`gitops diff` found differences."""

    code, exit_code = "differs", 1


class Unhealthy(GitopsError):
    """The release is live and not healthy."""

    code, exit_code = "unhealthy", 1


class NotFound(GitopsError):
    """An environment, image, release, branch or repository that does not exist."""

    code, exit_code = "not-found", 3


class ManifestError(GitopsError):
    """A file that cannot be read or edited safely.

    `path`, `line` and `column` (1-based) say where; the message starts with `path:line:column: `,
    or with `path:line: ` where the column is None.
    """

    code, exit_code = "unsafe-edit", 3

    def __init__(
        self,
        message: str,
        *,
        path: str,
        line: int = 1,
        column: int | None = 1,
        hint: str | None = None,
    ) -> None:
        place = f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
        super().__init__(f"{place}: {message}", hint=hint)
        self.path = path
        self.line = line
        self.column = column or 1
        self.problem = message


class Denied(GitopsError):
    """Credentials are missing or rejected, or the file system says no."""

    code, exit_code = "denied", 3


class Protected(Denied):
    """A rule of the server keeps the branch (protected branch, ruleset)."""

    code = "protected"


class NoAtomicPush(Denied):
    """The server cannot move several branches at once; none has moved."""


class TooLarge(Denied):
    """A branch below `gitops/` holds more than is read of one; its commit can still be told."""


class HookDeclined(Denied):
    """A hook of the server said no; the message carries its words."""

    code = "hook-declined"


class TryAgain(GitopsError):
    """Nothing is wrong with the request; the same call may work later."""

    code, exit_code = "unavailable", 75


class Conflict(TryAgain):
    """The branch kept moving until the time budget was spent."""

    code = "conflict"


class Unavailable(TryAgain):
    """No connection, 5xx, rate limit, or a server that hangs."""

    code = "unavailable"


class TimedOut(TryAgain):
    """Not known yet when the time was over."""

    code = "timed-out"


class Bug(GitopsError):
    """An error of gitops itself; the traceback is in a log file, whose path is in the hint."""

    code = "bug"


class Interrupted(GitopsError):
    """The user pressed Ctrl-C (or the process got SIGTERM).

    Attributes:
        id: the `Gitops-Id` of what landed or may have landed; None where nothing did.
        pushes: the branches that moved or may have: JSON objects with `branch`, `commit` (None
            where the branch goes) and `landed` (None where nobody knows).
    """

    code, exit_code = "interrupted", 130

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        id: str | None = None,
        pushes: tuple[dict[str, str | bool | None], ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.id = id
        self.pushes = pushes
