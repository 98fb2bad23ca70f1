"""The server's own settings: a file beside it, with what must not stand in a repository.

Which keys there are, and what each may be, is said by shapes, as for `gitops.yaml`; rooms of the
server add theirs to `KEYS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from socket import getfqdn, gethostname
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.config.patterns import DURATION
from gitops.config.shapes import Key, ListOf, OneOf, Problems, Table, Text, Value
from gitops.core.text.hosts import is_loopback
from gitops.core.text.plain import read_duration
from gitops.core.yamltext import compose_first
from gitops.errors import ConfigError, ManifestError, NotFound, UsageError
from gitops.server.identity.keys import IDENTITY_KEYS
from gitops.server.identity.settings import IdentitySettings, read_identity

_URL = r"https?://[^\s/?#@]+"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_WORD = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = r"(?!file:)[a-z][a-z0-9+.-]*://[^\s]+"
_SHORTEST_INTERVAL = 10.0  # seconds
_LARGEST = 1 << 20  # bytes of the file

_CHANNEL = Table(
    {
        "name": Key(
            Text(_WORD, "is no word for a channel"),
            "What `notify:` of gitops.yaml calls it.",
            required=True,
        ),
        "to": Key(
            ListOf(Text(_ADDRESS, lambda _: "is no address of apprise: SCHEME://…"), least=1),
            "Addresses as apprise has them: slack://…, mailto://…, json://….",
            required=True,
        ),
    }
)

_LEASE = Key(
    Table(
        {
            "name": Key(
                Text(_WORD, "is no name of a Lease"),
                "What it is called; left out: gitops-notify.",
            ),
            "namespace": Key(
                Text(_WORD, "is no namespace"),
                "Where it is; left out: where the pod is.",
            ),
            "context": Key(
                Text(r"[!-~]{1,200}", "is no context"),
                "Of the kubeconfig; left out: the pod's own account, else the current context.",
            ),
        }
    ),
    "The Lease of Kubernetes whose holder tells people, of several replicas; left out: "
    "`gitops-notify`, in a pod that may.",
)

HOOK_KINDS = (
    *("github", "gitlab", "gitea", "forgejo", "bitbucket", "azure"),
    *("registry", "argocd", "alertmanager"),
)
"""Who sends hooks; `registry` is any that sends a fixed `Authorization` (distribution, Harbor)."""

_HOOKS = Key(
    ListOf(
        Table(
            {
                "kind": Key(OneOf(*HOOK_KINDS), "Who sends it.", required=True),
                "name": Key(
                    Text(_WORD, "is no name of a hook"),
                    "The end of its address: /hooks/KIND/NAME.",
                    required=True,
                ),
                "secret": Key(
                    Text(r"[!-~]{16,200}", lambda _: "must be a secret of 16 characters or more"),
                    "What it signs with, or sends as a token.",
                    required=True,
                ),
            }
        ),
        least=1,
    ),
    "Hooks that wake the server, and alerts of monitoring.",
)

KEYS: Mapping[str, Key] = {
    "publicUrl": Key(
        Text(_URL, "is no address: https://gitops.example.com"),
        "Where people find the page; left out: where it listens.",
    ),
    "hosts": Key(
        ListOf(Text(_HOST, "is no name of a host"), least=1),
        "More names that requests come to, as inside a cluster: gitops.gitops.svc.",
    ),
    "channels": Key(
        ListOf(_CHANNEL, least=1), "Where messages of `notify:` of gitops.yaml go; secrets."
    ),
    "lease": _LEASE,
    "traces": Key(
        Table(
            {
                "endpoint": Key(
                    Text(_URL, "is no address: http://otel:4318"),
                    "Of a collector that takes OTLP over HTTP.",
                    required=True,
                )
            }
        ),
        "Where traces go (extra [traces]); left out: where OTEL_EXPORTER_OTLP_ENDPOINT says.",
    ),
    "hooks": _HOOKS,
    "images": Key(
        Table(
            {
                "interval": Key(
                    DURATION,
                    "How often registries are asked at the least, 10s or more; left out: 2m.",
                )
            }
        ),
        "How images are looked for that are deployed when they are pushed (`on: push`).",
    ),
    **IDENTITY_KEYS,
}


class Listen(Struct, frozen=True):
    """Where the server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """Its address, as a browser on this machine has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class ServerSettings(Struct, frozen=True):
    """What the server was started with.

    Attributes:
        repository: path or URL of the manifest repository.
        branch: the top-level branch; None: what `gitops.yaml` says.
        read_only: nobody may act.
        public_url: where people find it.
        file: what the settings file says, None without one; rooms read their keys there.
        demo: the repository is a throw-away one.
    """

    repository: str
    listen: Listen
    branch: str | None = None
    read_only: bool = False
    public_url: str | None = None
    file: Value | None = None
    demo: bool = False

    @property
    def url(self) -> str:
        """Where people find it, without a slash at the end."""
        return self.public_url or self.listen.url

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names that requests may come to, without ports; addresses always may."""
        own = ("localhost",) if self.listen.is_loopback else (gethostname(), getfqdn())
        named = self.file.list_texts("hosts") if self.file is not None else ()
        return (urlsplit(self.url).hostname or "", self.listen.host, *own, *named)

    @property
    def origins(self) -> tuple[str, ...]:
        """Where pages that send something here may come from."""
        port = self.listen.port
        own = (f"http://localhost:{port}",) if self.listen.is_loopback else ()
        return (self.url, self.listen.url, *own)

    def identity(self) -> IdentitySettings:
        """Return who may come in. Raises ConfigError with everything that is wrong about it."""
        if self.file is None:
            return IdentitySettings()
        lines: list[str] = []
        found = read_identity(
            self.file, self.url, lambda value, what: lines.append(f"{value.path}: {what}")
        )
        if lines:
            raise ConfigError("the settings cannot be used", reasons=tuple(lines))
        return found


class HookRow(Struct, frozen=True):
    """One hook; nothing prints its secret."""

    kind: str
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"HookRow(kind={self.kind!r}, name={self.name!r})"


def hooks_of(file: Value | None) -> tuple[HookRow, ...]:
    """Return the hooks of a settings file."""
    rows = file.list("hooks") if file is not None else ()
    return tuple(HookRow(row.get("kind"), row.get("name"), row.get("secret")) for row in rows)


def interval_of(file: Value | None) -> float | None:
    """Return the seconds between two looks at registries that nobody asked for; None: as usual."""
    table = file.keys.get("images") if file is not None else None
    text = table.get("interval") if table is not None else ""
    return max(read_duration(text).total_seconds(), _SHORTEST_INTERVAL) if text else None


def channels_of(file: Value | None) -> dict[str, tuple[str, ...]]:
    """Return channel -> its addresses, as a settings file has them."""
    rows = file.list("channels") if file is not None else ()
    return {row.get("name"): row.list_texts("to") for row in rows}


def read_listen(text: str) -> Listen:
    """Read `127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address). Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address to listen on", hint="write 127.0.0.1:8080")
    return Listen(host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port))  # noqa: S104


def read_settings(path: str) -> Value:
    """Read the settings file. Raises NotFound, and ConfigError with everything that is wrong."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise NotFound(
            f"the settings cannot be read: {path}: {error.strerror}",
            hint="a file of your own beside the repository (docs/reference/server.md)",
        ) from None
    return parse_settings(content, path)


def parse_settings(content: bytes, path: str) -> Value:
    """Read the content of a settings file; `path` is what messages call it.

    Raises ConfigError whose `reasons` has a line for each problem.
    """
    try:
        document = compose_first(content, path)
    except ManifestError as error:
        place = f"{path}:{error.line}:{error.column}"
        raise ConfigError(f"{path} is no YAML", reasons=(f"{place}: {error.problem}",)) from None
    if document.root is None or document.root.value == "":
        return Value("", (1, 1))
    problems = Problems(document, path)
    root = Table(KEYS).read(document.root, "", problems)
    if root is not None:
        url = root.get("publicUrl") or "http://127.0.0.1"
        read_identity(root, url, lambda value, what: _add(problems, value, what))
    lines = problems.lines()
    if root is None or lines:
        many = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise ConfigError(f"{path} has {many}", reasons=lines)
    return root


def _add(problems: Problems, value: Value, what: str) -> None:
    """Note what is wrong, unless the value was wrong by itself."""
    if not problems.has_inside(value.path):
        problems.add(value.place, value.path, what)
