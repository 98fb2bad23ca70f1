"""A real Gitea on a loopback port: SQLite, a home of its own, an administrator and three people.

`start` runs in a keeper (servers/keeper.py); tests see the server through `GiteaServer`. The recipe
is of Gitea 1.25; what it was built from stands in modules/gitea.
"""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from servers.direct import ask, is_there
from servers.processes import CannotStartError, Processes, free_port
from servers.programs import GITEA
from servers.store import folder_of

ADMIN = "gitadmin"
PEOPLE = ("ana", "ben", "ci")
"""Two people and the account of a CI system; none of them administrates the server."""

_INI = """\
APP_NAME = Gitea
RUN_USER = {user}
WORK_PATH = {work}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true

[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
APP_DATA_PATH = {work}/data
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {work}/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = {key}
INTERNAL_TOKEN = {internal}
PASSWORD_HASH_ALGO = pbkdf2_v2
PASSWORD_COMPLEXITY = off

[oauth2]
JWT_SECRET = {jwt}

[repository]
ROOT = {work}/repositories
DEFAULT_BRANCH = main
DEFAULT_REPO_UNITS = repo.code,repo.issues,repo.pulls,repo.releases,repo.wiki,repo.packages

[service]
DISABLE_REGISTRATION = true

[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 5

[actions]
ENABLED = true
DEFAULT_ACTIONS_URL = self

[indexer]
ISSUE_INDEXER_TYPE = db

[cron]
ENABLED = false

[log]
LEVEL = Warn
MODE = console
"""

_STARTED_BY_HOOKS = """\
#!/bin/sh
# A push has Gitea's hooks start its whole program three times, which is most of what the server
# costs. It does no more than this for a push of its own, and where a branch is updated (decision
# 207; cmd/hook.go in v1.25).
case "$GITEA_INTERNAL_PUSH $1 $3 $4" in
"true hook pre-receive "*) while read -r _; do :; done && exit 0 ;;
"true hook post-receive "*) while read -r _; do :; done && exec git update-server-info ;;
"true hook update "* | *" hook update refs/heads/"*) exit 0 ;;
esac
exec '{binary}' "$@"
"""


def start(processes: Processes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Start the server and make its users; return what `GiteaServer` is made from.

    Raises CannotStartError.
    """
    built = Path(options["built"])
    work = processes.folder / "work"
    for name in ("data", "home", "tmp"):
        (work / name).mkdir(parents=True)
    user = _user_name()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "tmp"),
        "USER": user,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GOGC": "400",  # starting is quicker, and there is memory
    }
    binary = str(built / "bin" / "gitea")
    hooked = work / "gitea"
    hooked.write_text(_STARTED_BY_HOOKS.format(binary=binary), encoding="utf-8")
    hooked.chmod(0o755)

    def secret(kind: str) -> str:
        return processes.run("secret", [binary, "generate", "secret", kind], environ).strip()

    port = free_port(set())
    ini = work / "app.ini"
    ini.write_text(
        _INI.format(
            user=user,
            work=work,
            port=port,
            static=built / "static",
            key=uuid.uuid4().hex,
            internal=secret("INTERNAL_TOKEN"),
            jwt=secret("JWT_SECRET"),
        ),
        encoding="utf-8",
    )
    gitea = [binary, "-c", str(ini)]
    processes.run("migrate", [*gitea, "migrate"], environ)
    password = uuid.uuid4().hex
    processes.run(
        "admin",
        [
            *(*gitea, "admin", "user", "create", "--admin", "--username", ADMIN),
            *("--password", password, "--email", f"{ADMIN}@example.com"),
            "--must-change-password=false",
        ],
        environ,
    )
    # Hooks start what the server believes to be called.
    called = ["bash", "-c", 'exec -a "$0" "$@"', str(hooked)]
    processes.start("gitea", [*called, *gitea, "web"], environ)
    url = f"http://127.0.0.1:{port}"
    processes.wait("gitea", lambda: is_there(f"{url}/api/healthz"))
    users = {ADMIN: _sign_in(url, ADMIN, password)}
    server = GiteaServer(url, users, processes.folder)
    for name in PEOPLE:
        word = uuid.uuid4().hex
        server.call(
            "POST",
            "/admin/users",
            {
                "username": name,
                "full_name": name.capitalize(),
                "email": f"{name}@example.com",
                "password": word,
                "must_change_password": False,
            },
        )
        users[name] = _sign_in(url, name, word)
    return {
        "url": url,
        "users": {
            name: {"password": one.password, "token": one.token} for name, one in users.items()
        },
    }


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container with a user of its own number
        return os.environ.get("USER", "git")


def _sign_in(url: str, name: str, password: str) -> GiteaUser:
    """Return a user with a token that may do whatever the user may."""
    basic = b64encode(f"{name}:{password}".encode()).decode()
    status, body = _request(
        "POST",
        f"{url}/api/v1/users/{name}/tokens",
        {"name": "tests", "scopes": ["all"]},
        f"Basic {basic}",
    )
    if status != 201:
        raise CannotStartError(f"Gitea gave {name} no token: {status} {body}")
    return GiteaUser(name, password, body["sha1"])


def _request(method: str, url: str, body: Any, authorization: str) -> tuple[int, Any]:
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    return ask(method, url, None if body is None else json.dumps(body).encode(), headers)


@dataclass(frozen=True)
class GiteaUser:
    """Somebody with an account; the token has every scope."""

    name: str
    password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class GiteaServer:
    """A running Gitea.

    Attributes:
        url: `http://127.0.0.1:PORT`, without a slash at the end.
        users: by name: `gitadmin`, who administrates the server, and `ana`, `ben`, `ci`.
        folder: where its logs are.
    """

    url: str
    users: dict[str, GiteaUser]
    folder: Path

    @classmethod
    def of(cls, record: Mapping[str, Any], folder: Path) -> GiteaServer:
        """Return the server that `start` described."""
        users = {name: GiteaUser(name, **one) for name, one in record["users"].items()}
        return cls(record["url"], users, folder)

    def ask(
        self, method: str, path: str, body: Any = None, *, user: str = ADMIN
    ) -> tuple[int, Any]:
        """Call the API (`path` starts after /api/v1) and return status and document."""
        token = self.users[user].token
        return _request(method, f"{self.url}/api/v1{path}", body, f"token {token}")

    def call(self, method: str, path: str, body: Any = None, *, user: str = ADMIN) -> Any:
        """Call the API and return the document; AssertionError when it says no."""
        status, answer = self.ask(method, path, body, user=user)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def clone_url(self, repository: str, *, user: str | None = None) -> str:
        """Return the URL of `owner/name`, with the user's token in it when one is named."""
        if user is None:
            return f"{self.url}/{repository}.git"
        token = self.users[user].token
        return f"{self.url.replace('://', f'://{user}:{token}@')}/{repository}.git"

    def new_repository(
        self, owner: str = "ana", *, writers: tuple[str, ...] = (), empty: bool = True
    ) -> str:
        """Make a repository with a name of its own and return `owner/name`.

        `writers` may push to it. With `empty=False` it has a commit on `main`.
        """
        name = f"shop-{uuid.uuid4().hex[:10]}"
        body = {"name": name, "auto_init": not empty, "default_branch": "main"}
        self.call("POST", "/user/repos", body, user=owner)
        for writer in writers:
            path = f"/repos/{owner}/{name}/collaborators/{writer}"
            self.call("PUT", path, {"permission": "write"}, user=owner)
        return f"{owner}/{name}"

    def wait_for(self, question: Callable[[], Any], *, seconds: float = 20) -> Any:
        """Return the first true answer: the server does some things a moment after it said so.

        One of them: a repository stays `empty`, and answers 404 to pull requests, until a push has
        been digested (`settle`).
        """
        give_up = monotonic() + seconds
        pause = 0.05
        while not (answer := question()):
            assert monotonic() < give_up, f"not so after {seconds} s"
            sleep(pause)
            pause = min(2 * pause, 0.2)  # an answer has it start git four times
        return answer

    def wait_until_behind(self, repository: str) -> None:
        """Wait until the server knows, after a push to their base, that open requests are behind.

        Only its database tells: a merge that comes before is let in, whatever the rule says.
        """
        question = (
            "SELECT min(commits_behind) FROM pull_request JOIN issue ON issue.id = issue_id"
            " JOIN repository ON repository.id = base_repo_id"
            " WHERE repository.lower_name = ? AND NOT has_merged AND NOT issue.is_closed"
        )
        self._wait_for_answer(question, repository)

    def wait_until_deleted(self, repository: str, branch: str) -> None:
        """Wait until the server has dealt with the first deletion of a branch.

        It closes the open requests of that name when it comes to it, also one that was opened after
        somebody had made the branch anew.
        """
        question = (
            "SELECT count(*) FROM action JOIN repository ON repository.id = repo_id"
            " WHERE repository.lower_name = ? AND op_type = 17"
            f" AND ref_name = 'refs/heads/{branch}'"
        )
        self._wait_for_answer(question, repository)

    def _wait_for_answer(self, question: str, repository: str) -> None:
        """Wait until the first value of a row is true, for a repository."""
        name = repository.split("/")[1].lower()
        file = self.folder.joinpath("work", "gitea.db").as_uri()
        with closing(sqlite3.connect(f"{file}?mode=ro", uri=True)) as database:
            self.wait_for(lambda: database.execute(question, (name,)).fetchone()[0], seconds=60)

    def protect(self, repository: str, pushers: Sequence[str] = ("ci",), **rule: Any) -> None:
        """Let nobody but `pushers` push to main; `rule`: what else is asked there. By ana."""
        rule |= {"rule_name": "main", "enable_push": True, "enable_push_whitelist": True}
        rule["push_whitelist_usernames"] = [*pushers]
        self.call("POST", f"/repos/{repository}/branch_protections", rule, user="ana")

    def settle(self, repository: str) -> None:
        """Wait until the server knows that a repository has commits, after its first push."""
        self.wait_for(lambda: not self.call("GET", f"/repos/{repository}")["empty"])


def gitea_options() -> dict[str, Any]:
    """Return what `start` wants to be told."""
    return {"built": str(folder_of(GITEA))}
