"""What `gitops.yaml` says of images: `images`, `registries`, `provenance`, `cleanup`, `pin`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops.config.patterns import FILE, IMAGE, SOURCE, VALUE, VALUE_KEY, VALUE_PATTERN
from gitops.config.server_keys import Later
from gitops.config.shapes import (
    Key,
    ListOf,
    OneOf,
    Problems,
    Shape,
    Table,
    Text,
    Value,
    WholeNumber,
    YesNo,
    shown,
)
from gitops.core.environments.environment import Provenance, RegistryRules
from gitops.core.environments.image_rules import SignerIdentity
from gitops.core.text.plain import read_duration

if TYPE_CHECKING:
    from gitops.core.environments.rows import CleanupRow

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[1-9][0-9]{0,4})?"
_PLATFORM = r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(?:/v[0-9]{1,2})?"

REGISTRIES = Table(
    {
        "unavailable": Key(
            OneOf("warn", "refuse"),
            "What a deploy does when a registry does not answer. A rollback is never barred.",
            default="warn",
        ),
        "hosts": Key(
            ListOf(Text(_HOST, "is no host, like registry.example.com")),
            "The registries that may be asked; left out: whichever an image's name begins with.",
        ),
        "schema": Key(
            OneOf("ignore", "read"),
            "read: a deploy keeps what the image's annotation dev.gitops.schema says that it does "
            "to the database's schema: none, compatible or breaking.",
            default="ignore",
        ),
    }
)
_ISSUER = r"https://[A-Za-z0-9.-]{1,253}(?::[1-9][0-9]{0,4})?(?:/[!-~]{0,500})?"
_SIGNER = r"[!-~]{3,500}"
_PATTERN = r"[A-Za-z0-9_*](?:[A-Za-z0-9_.*/-]{0,254})"


def _explain_issuer(text: str) -> str:
    return f"{shown(text)} is no issuer, like https://token.actions.githubusercontent.com"


def _explain_signer(text: str) -> str:
    return f"{shown(text)} is no identity: 3 to 500 characters without spaces"


def cleanup_table(branch: Text, duration: Text) -> Table:
    """Return the shape of a row of `cleanup:`."""
    return Table(
        {
            "images": Key(
                ListOf(Text(_PATTERN, _explain_pattern), least=1),
                "Images as overlays name them; * stands for anything.",
                required=True,
            ),
            "tags": Key(
                Text(_PATTERN, _explain_pattern),
                "The tags that may go; * stands for anything.",
                required=True,
            ),
            "branches": Key(
                ListOf(branch, least=1),
                "Only builds of such source branches, and only once these are merged or gone.",
            ),
            "olderThan": Key(duration, "Only what is older."),
            "keep": Key(WholeNumber(0, 10_000), "So many of the newest stay; left out: 3."),
            "releases": Key(
                WholeNumber(1, 10_000),
                "So many of the newest releases of each overlay keep their images; left out: 20.",
            ),
        }
    )


def _explain_pattern(text: str) -> str:
    return f"{shown(text)} is no pattern: letters, digits, . _ - / and * for anything"


def check_cleanup(rows: Sequence[Value], problems: Problems) -> None:
    """A pattern alone says nothing of whether an image is needed."""
    for row in rows:
        if not row.list("branches") and "olderThan" not in row.keys:
            what = "needs `branches`, or `olderThan`: a pattern alone would take new builds, too"
            problems.add(row.place, row.path, what)


def make_cleanup(row: Value) -> CleanupRow:
    """Return the value of a row without problems."""
    from gitops.core.environments.rows import CleanupRow

    return CleanupRow(
        images=row.list_texts("images"),
        tags=row.get("tags"),
        branches=row.list_texts("branches"),
        older_than=read_duration(row.get("olderThan")) if "olderThan" in row.keys else None,
        keep=int(row.get("keep", "3")),
        releases=int(row.get("releases", "20")),
    )


_IDENTITY = Table(
    {
        "issuer": Key(
            Text(_ISSUER, _explain_issuer),
            "The identity provider that vouched for the signer, to the letter.",
            required=True,
        ),
        "identity": Key(
            Text(_SIGNER, _explain_signer),
            "What the certificate calls the signer, a workflow or an e-mail address: * inside one "
            "path segment, ** across.",
            required=True,
        ),
    }
)
_PROVENANCE = Table(
    {
        "required": Key(
            YesNo(),
            "Whether images must say that they were built from their `source`, and from the commit "
            "that goes there; left out: only with `keys` or `identities`.",
        ),
        "keys": Key(
            ListOf(FILE, least=1),
            "Files on the branch with public keys (PEM); cosign must have signed the image, or a "
            "statement about it, with one of them.",
        ),
        "identities": Key(
            ListOf(_IDENTITY, least=1),
            "Whose certificates count where cosign signed without a key (Fulcio, Rekor), in place "
            "of one of `keys`.",
        ),
        "trustedRoot": Key(
            FILE,
            "A file on the branch that says whom to trust for certificates and transparency logs "
            "(trusted_root.json); left out: Sigstore's public service. Nothing is fetched.",
        ),
    }
)
PINS = {
    "pin": Key(
        OneOf("tag", "digest", "both"),
        "What a write keeps of an image; a digest is looked up in the image's registry.",
        default="tag",
    ),
    "platforms": Key(
        ListOf(
            Text(_PLATFORM, "is no platform, like linux/amd64"),
            least=1,
        ),
        "What an image must be there for; an image that lacks one of them is refused.",
    ),
    "provenance": Key(
        _PROVENANCE, "What images must prove before they go there, in place of the top-level one."
    ),
}
"""The keys of an environment."""


def registry_keys(branch: Text, duration: Text) -> dict[str, Key]:
    """Return the keys at the top of the file."""
    return {
        "registries": Key(
            REGISTRIES,
            "With it, a write looks at each image in its registry first: a tag that is not there "
            "is refused. Left out: only `pin` looks.",
        ),
        "provenance": Key(
            _PROVENANCE,
            "What images must prove before they go anywhere; a rollback is never asked.",
        ),
        "cleanup": Key(
            ListOf(cleanup_table(branch, duration)),
            "Which images may be deleted, once what they were built from is merged.",
        ),
    }


def check_pins(rows: Sequence[Value], problems: Problems) -> None:
    """What was tested must be what goes on: `after` compares tags and digests."""
    pins = {row.get("name"): row.get("pin", "tag") for row in rows}
    for row in rows:
        value = row.keys.get("pin")
        if value is None or value.text == "tag":
            continue
        for item in row.list("after"):
            other = pins.get(item.text, value.text)
            if other != value.text:
                what = (
                    f"is {value.text}, and `pin` of {item.text} is {other}: images are the same "
                    "in both only when both keep the same of them"
                )
                problems.add(value.place, value.path, what)


def make_registries(table: Value) -> RegistryRules:
    """Return the value of a table without problems."""
    hosts = tuple(item.text.lower() for item in table.list("hosts"))
    refuse, schema = table.get("unavailable", "warn"), table.get("schema", "ignore")
    return RegistryRules(refuse=refuse == "refuse", hosts=hosts, schema=schema == "read")


def make_provenance(table: Value) -> Provenance:
    """Return the value of a table without problems."""
    keys, rows = table.list_texts("keys"), table.list("identities")
    # Keys and identities are named to be asked for.
    required = table.get("required", "true" if keys or rows else "false") == "true"
    identities = tuple(SignerIdentity(row.get("issuer"), row.get("identity")) for row in rows)
    return Provenance(required, keys, identities, table.get("trustedRoot") or None)


def check_provenance(tables: Sequence[Value | None], problems: Problems) -> None:
    """A pattern that anybody fits asks for nobody; a trust root is for certificates."""
    for table in tables:
        if table is None:
            continue
        for row in table.list("identities"):
            if not row.get("identity").strip("*/:.@"):
                problems.add(row.place, row.path, "identity: is true of anybody")
        root = table.keys.get("trustedRoot")
        if root is not None and not table.list("identities"):
            problems.add(root.place, root.path, "is only read with `identities`")


_FOLLOWER = Table(
    {
        "file": Key(
            FILE,
            "The file, from the folder of the overlay; a folder without it has none to follow.",
            required=True,
        ),
        "key": Key(
            VALUE_KEY,
            "Where the value is: image.tag, resources[*], env[name=VERSION].value, "
            'labels[0].pairs["app.kubernetes.io/version"].',
            required=True,
        ),
        "pattern": Key(
            VALUE_PATTERN,
            "A regular expression whose group (?P<value>…) is what is replaced; left out: all.",
        ),
        "value": Key(
            VALUE,
            "What is written, with {tag}, {digest} and {name} filled in.",
            default="{tag}",
        ),
    }
)


def _tags_shape() -> Shape:
    from gitops.config.tags import tags_shape  # few images have any

    return tags_shape()


IMAGE_ROW = Table(
    {
        "name": Key(IMAGE, "The image, as overlays name it.", required=True),
        "source": Key(
            SOURCE,
            "The repository that it is built from.",
        ),
        "also": Key(
            ListOf(_FOLLOWER),
            "Other values that follow the image, in every overlay folder that has the file: in the "
            "same commit, and taken back by the same rollback.",
        ),
        "on": Key(
            OneOf("push", "never"),
            "push: the newest of `tags` is deployed by itself, by the server or by `gitops images "
            "update`, wherever its branch is followed.",
            default="never",
        ),
        "tags": Key(
            Later(_tags_shape),
            "Which tags are builds of which source branch; the first row that fits counts.",
        ),
        "order": Key(
            OneOf("created", "version"),
            "What tells the newest tag: created asks each image when it was made; version goes by "
            "the {version} and {number} in the tags.",
            default="created",
        ),
    }
)
