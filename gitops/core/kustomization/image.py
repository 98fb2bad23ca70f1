"""An image as an overlay pins it, and the IMAGE argument that asks for a change.

Grammar: that of `kustomize edit set image`, its accidents left out (`reg:5000` is no tag, `app:`
is no edit). One difference on purpose: `NAME:TAG` and `NAME@DIGEST` keep an existing `newName`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from msgspec import Struct

from gitops.errors import UsageError

GRAMMAR: Final = "NAME:TAG, NAME@DIGEST, NAME:TAG@DIGEST, NAME=NEWNAME[:TAG][@DIGEST], NAME=*:TAG"
"""The forms of IMAGE, for hints and help texts."""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")  # OCI distribution spec 1.1, "Pull"
_DIGESTS = {"sha256": 64, "sha512": 128}  # OCI image spec 1.1, "Registered algorithms": hex digits
_HEX = re.compile(r"[0-9a-f]+")
_PORT = re.compile(r"80|443|[0-9]{4,5}")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
)
_PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")  # OCI distribution spec 1.1, <name>
_LONGEST_NAME = 255
_SHOWN_DIGITS = 12


class Keep(Enum):
    """Marks a field of an `ImageRequest` that stays as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


class ImageValue(Struct, frozen=True, gc=False):
    """What one entry of `images:` pins.

    Attributes:
        name: `newName`, or None.
        tag: `newTag`, or None.
        digest: `digest` (`sha256:…`), or None.
    """

    name: str | None = None
    tag: str | None = None
    digest: str | None = None

    @property
    def nameless(self) -> ImageValue:
        """The same tag and digest, from wherever."""
        return self if self.name is None else ImageValue(None, self.tag, self.digest)


FieldTexts = tuple[str | None, str | None, str | None]
"""What stands in `newName`, `newTag` and `digest` of an entry; None: it has no such field."""


class ImageRequest(Struct, frozen=True):
    """One wanted change: per field a new value, None to remove it, or KEEP.

    Attributes:
        image: kustomize's `name` of the entry, matched exactly.
    """

    image: str
    name: str | Keep | None = KEEP
    tag: str | Keep | None = KEEP
    digest: str | Keep | None = KEEP

    def apply(self, current: ImageValue) -> ImageValue:
        """Return `current` with the requested fields replaced."""
        return ImageValue(
            name=current.name if self.name is KEEP else self.name,
            tag=current.tag if self.tag is KEEP else self.tag,
            digest=current.digest if self.digest is KEEP else self.digest,
        )

    @classmethod
    def exactly(cls, image: str, value: ImageValue) -> ImageRequest:
        """Ask for `value` whole: what is None there is removed."""
        return cls(image, value.name, value.tag, value.digest)

    @classmethod
    def pulled(cls, image: str, value: ImageValue) -> ImageRequest:
        """Ask for tag and digest of `value`, from the registry that is named already."""
        return cls(image, KEEP, value.tag, value.digest)


class ImageChange(Struct, frozen=True):
    """One entry of one overlay, before and after."""

    image: str
    before: ImageValue
    after: ImageValue


def parse_image(text: str) -> ImageRequest:
    """Read an IMAGE argument.

    What the argument does not name is removed, as in kustomize, except: `NAME:TAG` and
    `NAME@DIGEST` keep an existing `newName`, and `*` keeps the field that it stands for.

    Raises UsageError, with the grammar as hint.
    """
    for char in text:
        if char.isspace() or not char.isprintable():
            raise _wrong(text, "has a blank or a control character in it")
    if not text:
        raise _wrong(text, "is empty")
    name, equals, wanted = text.partition("=")
    if equals:
        return _parse_renaming(text, name, wanted)
    name, tag, digest = _split(text, text)
    if "*" in text:
        raise _wrong(text, "has a * without =: it stands only after NAME=")
    if tag is None and digest is None:
        raise _wrong(text, "names neither a tag nor a digest")
    if tag is not None and digest is None and _looks_like_host(name) and _PORT.fullmatch(tag):
        raise _wrong(
            text,
            "looks like a registry with a port, not like an image with a tag",
            f"if {name} is an image: {name}=*:{tag}",
        )
    _check_name(text, name)
    return ImageRequest(name, KEEP, _tag(text, tag), _digest(text, digest))


def describe_change(change: ImageChange) -> tuple[str, str]:
    """Return what messages print of the value before, and of the one after it."""
    return describe_value(change.before), describe_value(change.after)


def describe_value(value: ImageValue) -> str:
    """Return what messages print: `1.4.2`, `1.4.2@sha256:0123456789ab`, `reg/app:1.4.2`, `(unset)`.

    Digests are cut to 12 hex digits.
    """
    digest = ""
    if value.digest:
        algorithm, colon, digits = value.digest.partition(":")
        digest = f"{algorithm}{colon}{digits[:_SHOWN_DIGITS]}"
    text = value.name or ""
    if value.tag:
        text += f":{value.tag}" if text else value.tag
    if digest:
        text += f"@{digest}" if text else digest
    return text or "(unset)"


def _parse_renaming(text: str, image: str, wanted: str) -> ImageRequest:
    if not image:
        raise _wrong(text, "has no name before =")
    if not wanted:
        raise _wrong(text, "has nothing after =")
    if "=" in wanted:
        raise _wrong(text, "has two =")
    own, own_tag, own_digest = _split(text, image)
    # An entry may be for one tag, or one digest, only: `alpine:latest=*:2`.
    if (own_digest is not None or own_tag is not None) and not wanted.startswith("*"):
        raise _wrong(text, "has a tag or digest before =")
    _tag(text, own_tag)
    _digest(text, own_digest)
    _check_name(text, own)
    name, tag, digest = _split(text, wanted)
    if name == "*" and tag in (None, "*") and digest in (None, "*"):
        raise _wrong(text, "changes nothing")
    if digest == "*" and tag not in (None, "*"):
        raise _wrong(
            text,
            "keeps the old digest under a new tag: the old image would run on",
            f"leave the digest out: {image}={name}:{tag}",
        )
    new_name: str | Keep | None = KEEP
    if name != "*":
        _check_new_name(text, name)
        new_name = None if name == image else name
    return ImageRequest(
        image,
        new_name,
        KEEP if tag == "*" else _tag(text, tag),
        KEEP if digest == "*" else _digest(text, digest),
    )


def _split(text: str, reference: str) -> tuple[str, str | None, str | None]:
    """Split into name, tag and digest; a `:` before the first `/` belongs to a registry's port."""
    rest, at, digest = reference.partition("@")
    if "@" in digest:
        raise _wrong(text, "has two @")
    slash = rest.find("/") + 1
    path, colon, tag = rest[slash:].partition(":")
    if ":" in tag:
        raise _wrong(text, "has two tags")
    return rest[:slash] + path, tag if colon else None, digest if at else None


def _tag(text: str, tag: str | None) -> str | None:
    if tag is None or _TAG.fullmatch(tag):
        return tag
    if not tag:
        raise _wrong(text, "has nothing after the colon")
    if len(tag) > 128:
        raise _wrong(text, "has a tag of more than 128 characters")
    raise _wrong(text, f"has a tag that no registry takes: {tag} (letters, digits, . _ -)")


def _digest(text: str, digest: str | None) -> str | None:
    if digest is None:
        return None
    algorithm, _, digits = digest.partition(":")
    length = _DIGESTS.get(algorithm)
    if length is None:
        raise _wrong(text, "has a digest that is neither sha256:… nor sha512:…")
    if len(digits) != length:
        what = f"has a {algorithm} digest of {len(digits)} hex digits instead of {length}"
        raise _wrong(text, what)
    if not _HEX.fullmatch(digits):
        raise _wrong(text, "has a digest that is not all of 0-9 and a-f, in lower case")
    return digest


def wrong_part(attribute: str, text: str) -> str | None:
    """Say why no runtime takes `text` as the name, tag or digest of an image; None: it does."""
    try:
        if attribute == "tag":
            _tag("", text)
        elif attribute == "digest":
            _digest("", text)
        else:
            _check_new_name("", text)
    except UsageError as error:
        return error.message.removeprefix("image '' ").replace("has a", "it has a", 1)
    return None


def _looks_like_host(name: str) -> bool:
    return "/" not in name and (name == "localhost" or "." in name)


def _check_name(text: str, name: str) -> None:
    """Any entry's name, placeholders included; only what can be none is refused."""
    if not name:
        raise _wrong(text, "has no name")
    if "*" in name:
        raise _wrong(text, "has a * in its name: it stands only after NAME=")
    if not all(name.split("/")):
        raise _wrong(text, "has an empty part in its name")


def _check_new_name(text: str, name: str) -> None:
    parts = name.split("/")
    if len(parts) > 1 and ({".", ":"} & set(parts[0]) or parts[0] == "localhost"):
        if not _HOST.fullmatch(parts[0]):
            raise _wrong(text, f"has a new name whose registry is no host: {parts[0]}")
        del parts[0]
    if len(name) > _LONGEST_NAME:
        raise _wrong(text, f"has a new name of more than {_LONGEST_NAME} characters")
    if not all(map(_PART.fullmatch, parts)):
        raise _wrong(text, f"has a new name that no registry takes: {name} (lower case, . _ - /)")


def _wrong(text: str, what: str, hint: str | None = None) -> UsageError:
    return UsageError(f"image {text!r} {what}", hint=hint or f"IMAGE is {GRAMMAR}")


def meant(image: str | None, texts: FieldTexts) -> ImageValue:
    """Return what the fields of the entry `image` pin together.

    `newTag: 1.2@sha256:…` (as Renovate writes it) is tag and digest, `newName: repo:1.2` beside
    neither is name and tag, and a `newName` that equals the name renames nothing: kustomize
    renders all three so.
    """
    name, tag, digest = texts
    if tag is not None and digest is None and "@" in tag:
        tag, digest = tag.split("@", 1)
    elif name is not None and tag is None and digest is None:
        name, tag, digest = split_reference(name)
    return ImageValue(None if name == image else name, tag or None, digest or None)


def texts_of(image: str | None, value: ImageValue, present: FieldTexts) -> FieldTexts:
    """Return what the fields must say to pin `value`, in the form that they have at `present`.

    The inverse of `meant`: what stands together stays together.
    """
    old_name, old_tag, old_digest = present
    name: str | None = old_name if value.name is None and old_name == image else value.name
    if old_tag is not None and old_digest is None and "@" in old_tag and value.tag is not None:
        return name, f"{value.tag}@{value.digest}" if value.digest else value.tag, None
    alone = old_name is not None and old_tag is None and old_digest is None
    if not alone or old_name is None or split_reference(old_name)[0] == old_name:
        return name, value.tag, value.digest
    whole = value.name or image or ""
    whole += f":{value.tag}" if value.tag else ""
    return whole + (f"@{value.digest}" if value.digest else ""), None, None


def split_reference(text: str) -> tuple[str, str | None, str | None]:
    """Split an image as a pod names it into name, tag and digest."""
    rest, _, digest = text.partition("@")
    slash = rest.rfind("/") + 1
    last, _, tag = rest[slash:].partition(":")
    return rest[:slash] + last, tag or None, digest or None
