"""An intent that others may carry: its value, its bytes, and the seal that says who made it.

A writer that keeps losing the race publishes what it wants under `refs/gitops/intents/<id>`.
Whoever may push any ref can put something there, so an intent counts only when it is sealed with
the key that the jobs share (HMAC-SHA256, RFC 2104, over every byte of the content). The seal is
checked before anything is parsed. Only plain deploys have a shape here: what passes policy over,
goes back, or judges cannot be written down as an intent at all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from gitops.core.git.commit import Identity, made_at
from gitops.errors import UsageError

REF_PREFIX: Final = "refs/gitops/intents/"
LONGEST_LIFE: Final = timedelta(minutes=10)
USUAL_LIFE: Final = timedelta(minutes=1)  # the default of --push-timeout
MAX_BYTES: Final = 64 * 1024  # 200 images with digests take a third of it
SHORTEST_KEY: Final = 16  # bytes
_HEADER: Final = b"gitops-intent/1 "
_SEAL_DIGITS: Final = 64
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{7,63}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Unreadable(ValueError):
    """Bytes that are no intent of this version; the text says why."""


class Intent(Struct, frozen=True):
    """One plain `gitops deploy`, as data that another writer can plan on any tip.

    Attributes:
        id: the `Gitops-Id` of its commit, unique; 8 to 64 letters, digits and dashes.
        repository: `normalised_repository(url)`, or the name that `gitops.yaml` gives it.
        branch: short name of the branch that it wants to change.
        base: commit that the branch was at when the intent was made; it cannot have landed before.
        author: who asked; stays the author of the commit.
        images: IMAGE arguments, as typed.
        to: names of environments; empty: policy decides by `ref`.
        ref: source branch, or None.
        commit: source commit (hex), or None.
        app: `--app`, or None.
        reason: `--reason`, or None.
        add: make entries that an overlay does not have yet.
        created: when it was made, by its writer's clock, with a time zone.
        expires: from when on nobody may apply it; at most `LONGEST_LIFE` after `created`.
    """

    id: str
    repository: str
    branch: str
    base: str
    author: Identity
    images: tuple[str, ...]
    created: datetime
    expires: datetime
    to: tuple[str, ...] = ()
    ref: str | None = None
    commit: str | None = None
    app: str | None = None
    reason: str | None = None
    add: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for an intent that nobody may carry."""
        if _ID.fullmatch(self.id) is None:
            raise ValueError("the id is not 8 to 64 letters, digits and dashes")
        if _COMMIT.fullmatch(self.base) is None:
            raise ValueError("the base is no commit id")
        texts = [self.repository, self.branch, self.author.name, self.author.email]
        texts += [*self.images, *self.to]
        if not all(texts) or not self.images or not (self.to or self.ref):
            raise ValueError("something is empty that must not be")
        texts += [text for text in (self.ref, self.commit, self.app, self.reason) if text]
        if not all(text.isprintable() for text in texts):
            raise ValueError("a text has control characters or line breaks")
        if self.created.tzinfo is None or self.expires.tzinfo is None:
            raise ValueError("a time has no time zone")
        if not timedelta(0) < self.expires - self.created <= LONGEST_LIFE:
            raise ValueError("it does not expire within 10 minutes after it was made")

    @property
    def ref_name(self) -> str:
        """The ref that it is published under."""
        return REF_PREFIX + self.id


def is_outdated(ref: str, now: datetime) -> bool:
    """Say whether the ref of an intent, going by its name, is likely to have expired."""
    made = made_at(ref.removeprefix(REF_PREFIX)) if ref.startswith(REF_PREFIX) else None
    return made is not None and made <= now.timestamp() - USUAL_LIFE.total_seconds()


def is_waiting(ref: str, now: datetime) -> bool:
    """Say whether the ref of an intent, going by its name, is of a writer that waits just now.

    A name that tells no time may be anything, and stay for ever: nobody waits for it.
    """
    made = made_at(ref.removeprefix(REF_PREFIX)) if ref.startswith(REF_PREFIX) else None
    return made is not None and abs(now.timestamp() - made) < USUAL_LIFE.total_seconds()


def key_from(text: str) -> bytes:
    """Return the shared key that `GITOPS_COMBINE_KEY` holds.

    Raises UsageError, without the key in the message, when it is too short to be a secret.
    """
    key = text.strip().encode()
    if len(key) < SHORTEST_KEY:
        raise UsageError(
            f"GITOPS_COMBINE_KEY is shorter than {SHORTEST_KEY} bytes",
            hint="make one with `openssl rand -hex 32` and give it to the jobs that may push",
        )
    return key


def encode(intent: Intent) -> bytes:
    """Return the content of `intent`: one line of JSON, the same bytes for equal intents."""
    fields = {
        "add": intent.add,
        "app": intent.app,
        "author": {"email": intent.author.email, "name": intent.author.name},
        "base": intent.base,
        "branch": intent.branch,
        "commit": intent.commit,
        "created": intent.created.isoformat(),
        "expires": intent.expires.isoformat(),
        "id": intent.id,
        "images": list(intent.images),
        "reason": intent.reason,
        "ref": intent.ref,
        "repository": intent.repository,
        "to": list(intent.to),
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def decode(content: bytes) -> Intent:
    """Return the intent that `encode` wrote; raises Unreadable for anything else."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON") from error
    if not isinstance(fields, dict):
        raise Unreadable("it is not a JSON object")
    try:
        intent = _intent(fields)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Unreadable(f"its fields do not fit: {error}") from error
    if encode(intent) != content:  # unknown, doubled or oddly written fields
        raise Unreadable("it is not written the way intents are")
    return intent


def _intent(fields: dict[str, object]) -> Intent:
    author = fields["author"]
    add = fields["add"]
    if not isinstance(author, dict) or not isinstance(add, bool):
        raise TypeError("author or add")
    return Intent(
        id=_text(fields["id"]),
        repository=_text(fields["repository"]),
        branch=_text(fields["branch"]),
        base=_text(fields["base"]),
        author=Identity(_text(author["name"]), _text(author["email"])),
        images=_texts(fields["images"]),
        created=datetime.fromisoformat(_text(fields["created"])),
        expires=datetime.fromisoformat(_text(fields["expires"])),
        to=_texts(fields["to"]),
        ref=_optional(fields["ref"]),
        commit=_optional(fields["commit"]),
        app=_optional(fields["app"]),
        reason=_optional(fields["reason"]),
        add=add,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return tuple(_text(item) for item in value)


def sign(intent: Intent, key: bytes) -> bytes:
    """Return what is published: a header with the seal, a line break, and the content.

    Raises UsageError when the intent is larger than others would read.
    """
    content = encode(intent)
    blob = _HEADER + _seal(content, key) + b"\n" + content
    if len(blob) > MAX_BYTES:
        raise UsageError(f"a deploy of {len(intent.images)} images is too large to be carried")
    return blob


def is_current_version(blob: bytes) -> bool:
    """Return False for what another version of the tool may understand, and we do not."""
    return blob.startswith(_HEADER) or not blob.startswith(_HEADER.partition(b"/")[0] + b"/")


def verify(blob: bytes, key: bytes) -> bytes | None:
    """Return the content of `blob` when its seal was made with `key`, else None.

    The comparison takes the same time wherever the seals differ.
    """
    header, separator, content = blob.partition(b"\n")
    seal = header.removeprefix(_HEADER)
    if not separator or not header.startswith(_HEADER) or len(seal) != _SEAL_DIGITS:
        return None
    return content if hmac.compare_digest(seal, _seal(content, key)) else None


def _seal(content: bytes, key: bytes) -> bytes:
    # The header is sealed too: a later version must not read this one's content as its own.
    return hmac.new(key, _HEADER + content, hashlib.sha256).hexdigest().encode()
