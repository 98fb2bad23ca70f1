"""Put wanted values into a kustomization: find, plan, write, prove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.core.kustomization.fields import insert, remove, replace
from gitops.core.kustomization.image import (
    FieldTexts,
    ImageChange,
    ImageRequest,
    ImageValue,
    split_reference,
    texts_of,
)
from gitops.core.kustomization.prove import confirm, prove
from gitops.core.kustomization.read import FIELDS, Lists, SequenceItem, image_values, read_lists
from gitops.core.kustomization.refusals import Check
from gitops.core.kustomization.splices import SplicePlan
from gitops.core.text.plain import nearest_word
from gitops.core.yamltext import parse_first
from gitops.errors import GitopsError, NotFound, UsageError

if TYPE_CHECKING:
    from gitops.core.environments.follower import Also
    from gitops.core.kustomization.following import FollowedValue

_NOTHING: Also = MappingProxyType({})


class FileEdit(Struct, frozen=True):
    """A file before and after."""

    path: str
    before: bytes
    after: bytes


class Edit(Struct, frozen=True):
    """A kustomization before and after; without changes `after` is `before`.

    Attributes:
        changes: in the order of the requests.
        warnings: one sentence each, for a person.
        beside: files with values that follow its images.
    """

    path: str
    before: bytes
    after: bytes
    changes: tuple[ImageChange, ...] = ()
    warnings: tuple[str, ...] = ()
    beside: tuple[FileEdit, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """Path -> new bytes, of all that it writes."""
        return {self.path: self.after} | {one.path: one.after for one in self.beside}

    @property
    def originals(self) -> dict[str, bytes]:
        """Path -> present bytes of the same files."""
        return {self.path: self.before} | {one.path: one.before for one in self.beside}


def edit_images(
    content: bytes,
    path: str,
    requests: Sequence[ImageRequest],
    *,
    add: bool = False,
    also: Also = _NOTHING,
) -> Edit:
    """Return `content` with the requested values; every other byte stays.

    With `add`, an image that the list does not have gets a new entry. `also` is what follows images
    in this very file.

    Raises UsageError for two different requests for one image, NotFound for an image that is not
    in the list, ManifestError (path, line, column) where the edit cannot be proven right.
    """
    lists = read_lists(parse_first(content, path))
    wanted = _distinct(requests)
    if not wanted:
        return Edit(path, content, content)
    check = Check(lists)
    check.whole()
    items = _by_name(lists)
    plan = SplicePlan(lists)
    beside = _prepare(check, items, wanted, also)
    changes: list[ImageChange] = []
    edited: dict[SequenceItem, ImageValue] = {}
    added: dict[str, ImageValue] = {}
    for request in wanted:
        found = items.get(request.image)
        if found:
            change = _change(plan, check, found, request)
            if change is not None:
                changes.append(change)
                edited[found[0]] = change.after
        elif add:
            value = _plain(request.image, request.apply(ImageValue()))
            if value == ImageValue():
                raise UsageError(f"{request.image}: a new entry needs a tag, digest or new name")
            added[request.image] = value
            changes.append(ImageChange(request.image, ImageValue(), value))
        else:
            raise missing_image(request.image, items, path, wanted=request)
    if added:
        from gitops.core.kustomization.add import add as add_entries  # few calls need it
        from gitops.core.kustomization.add import fields_of

        add_entries(plan, [fields_of(image, value) for image, value in added.items()])
    if also and changes:
        from gitops.core.kustomization.following import plan_followers  # few files have them

        named = {change.image for change in changes}
        beside = [one for one in beside if one.image in named]
        plan_followers(plan, check, beside)
    warnings = tuple(plan.warnings)
    if not plan.splices:
        return Edit(path, content, content, (), warnings)
    document = lists.document
    after = document.bom + plan.write().encode()
    confirm(plan, prove(plan, after), edited, added)
    if beside:
        from gitops.core.kustomization.following import confirm_followers

        confirm_followers(plan, after, beside)
    return Edit(path, content, after, tuple(changes), warnings)


def _prepare(
    check: Check,
    items: Mapping[str, Sequence[SequenceItem]],
    wanted: Sequence[ImageRequest],
    also: Also,
) -> list[FollowedValue]:
    """Tell `check` what each text becomes, for those that share an anchor; return what follows."""
    if not also and not check.shares:
        return []
    lists = check.lists
    agreed: dict[int, str] = {}
    values: list[tuple[str, ImageValue]] = []
    for request in wanted:
        item = items.get(request.image, [None])[-1]
        after = _plain(
            request.image, request.apply(lists.value(item) if item is not None else ImageValue())
        )
        values.append((request.image, after))
        if item is not None:
            texts = texts_of(request.image, after, lists.texts(item))
            for name, text in zip(FIELDS, texts, strict=True):
                if text is not None and name in item.fields:
                    agreed[item.fields[name].value] = text
    beside: list[FollowedValue] = []
    if also:
        from gitops.core.kustomization.following import followed  # few files have them

        beside = list(followed(lists, values, also))
        agreed |= {one.at: one.new for one in beside}
    check.agree(agreed)
    return beside


def missing_image(
    image: str,
    names: Iterable[str],
    where: str,
    *,
    can_add: bool = True,
    wanted: ImageRequest | None = None,
) -> NotFound:
    """Return the error for an image that `where` does not list: it names the ones there are.

    `can_add`: the caller may be told of `--add`. `wanted`: what was to be pinned.
    """
    there = list(dict.fromkeys(names))
    plain = {name: split_reference(name)[0] for name in there}
    same = [name for name in there if plain[name] == image]
    same_end = [
        name for name in there if plain[name].rpartition("/")[2] == image.rpartition("/")[2]
    ]
    near = next(iter(same), None) or nearest_word(image, there) or next(iter(same_end), None)
    listed = f"it has: {', '.join(there)}" if there else "its list is empty"
    hints = [f"did you mean {near}?"] if near else []
    if near is not None and wanted is not None and plain[near] != near:
        one = "tag" if "@" not in near else "digest"
        tag = f":{wanted.tag}" if isinstance(wanted.tag, str) else ""
        digest = f"@{wanted.digest}" if isinstance(wanted.digest, str) else ""
        hints = [f"{near} is an entry for one {one}: write '{near}=*{tag}{digest}';"]
    hints += ["--add makes a new entry"] if can_add else []
    return NotFound(f"{where} has no image {image}; {listed}", hint=" ".join(hints) or None)


def _distinct(requests: Sequence[ImageRequest]) -> list[ImageRequest]:
    seen: dict[str, ImageRequest] = {}
    for request in requests:
        if seen.setdefault(request.image, request) != request:
            raise UsageError(
                f"{request.image} is asked for twice, with different values",
                hint="name each image once",
            )
    return list(seen.values())


def _by_name(lists: Lists) -> dict[str, list[SequenceItem]]:
    items: dict[str, list[SequenceItem]] = {}
    for item in lists.items:
        if item.image is not None:
            items.setdefault(item.image, []).append(item)
    return items


def _change(
    plan: SplicePlan, check: Check, found: list[SequenceItem], request: ImageRequest
) -> ImageChange | None:
    """Plan what `request` wants of the entry; None when it has the values already."""
    lists, item = plan.lists, found[-1]
    if len(found) > 1:
        raise lists.unsafe(
            item.start,
            f"{request.image} stands in the list twice, first on line {lists.line(found[0].start)}",
            "kustomize runs one after the other: make one entry of them",
        )
    suffix = item.fields.get("tagSuffix")
    if suffix is not None and lists.text(suffix.value):
        plan.warnings.append(
            f"{lists.document.path}:{lists.line(item.start)}: {request.image} has a tagSuffix, "
            "which kustomize applies twice"
        )
    before = lists.value(item)
    after = _plain(request.image, request.apply(before))
    present = lists.texts(item)
    missing: list[tuple[str, str]] = []
    surplus: list[str] = []
    changed = False
    wanted = texts_of(request.image, after, present)
    for name, old, new in zip(FIELDS, present, wanted, strict=True):
        misread = new is not None and old == new and check.misread(item, name)
        if old == new and not misread:
            continue
        if not changed:
            check.item(item)
            _refuse_tagged_name(lists, item, present, after)
        changed = True
        check.field(item, name)
        if new is None:
            surplus.append(name)
        elif name in item.fields:
            if not check.is_alias(item.fields[name].value):  # what it stands for becomes the same
                replace(plan, item, name, new)
        else:
            missing.append((name, new))
        if misread:
            plan.warnings.append(
                f"{lists.document.path}:{lists.line(item.fields[name].key)}: {name} {new} stood "
                "without quotes, so that kustomize did not take it for a text; it has them now"
            )
    if surplus:
        remove(plan, item, surplus)
    if missing:
        insert(plan, item, missing)
    return ImageChange(request.image, before, after) if changed else None


def _refuse_tagged_name(
    lists: Lists, item: SequenceItem, present: FieldTexts, after: ImageValue
) -> None:
    """Refuse a tag behind a `newName` that has one: kustomize would render both."""
    if after.name is None or (after.tag, after.digest) == (None, None):
        return
    if split_reference(after.name)[0] != after.name:
        raise lists.unsafe(
            item.fields["newName"].key if present[0] is not None else item.start,
            f"newName of {item.image} holds a tag itself: {after.name}",
            f"give the name anew: {item.image}={split_reference(after.name)[0]}:TAG",
        )


def _plain(image: str, value: ImageValue) -> ImageValue:
    """Return `value` as `Lists.value` would read it: nothing is empty, or named as it is."""
    name = None if value.name == image else value.name
    return ImageValue(name or None, value.tag or None, value.digest or None)


def only_images(before: bytes, after: bytes, path: str, also: Also = _NOTHING) -> bool:
    """Say whether `after` is `before` with other image values (or new images), and no more.

    What follows them in the file (`also`) goes along.
    """
    try:
        wanted = image_values(after, path)
        requests = [ImageRequest.exactly(image, value) for image, value in wanted.items()]
        return edit_images(before, path, requests, add=True, also=also).after == after
    except GitopsError:
        return False
