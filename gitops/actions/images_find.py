"""`gitops images find`, `show` and `list`: what is this, where does it run, since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from msgspec import Struct

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView, views_of
from gitops.actions.images.states import add_details, read_states
from gitops.actions.images.uses import require_pinned
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.core.images.name import ImageName, image_name, is_digest, is_tag
from gitops.core.images.report import ListedImage, ListedTag, ShownImage, Stay
from gitops.core.kustomization.image import ImageValue, split_reference
from gitops.core.text.counting import counted, nobody_counts
from gitops.errors import GitopsError, ManifestError, NotFound, UsageError

_MOST_RELEASES = 200  # of each overlay
_MOST_DETAILS = 200  # tags whose age is asked for one by one


class _Sought(Struct, frozen=True):
    """What was typed: an image by its name in overlays or its whole name, a tag, a digest."""

    name: str | None
    tag: str | None
    digest: str | None

    def fits(self, image: str, value: ImageValue) -> bool:
        """Say whether an entry pins it."""
        names = (image, value.name)
        return (
            (self.name is None or self.name in names)
            and (self.tag is None or value.tag == self.tag)
            and (self.digest is None or value.digest == self.digest)
        )


def find_image(session: Session, text: str) -> tuple[Stay, ...]:
    """Return where an image is and was, newest first: `NAME[:TAG][@DIGEST]`, a tag, or a digest.

    Raises UsageError, and NotFound when no overlay has, or had, it.
    """
    views = views_of(session, open_tip(session))
    sought = _sought(text, views)
    found = _stays(views, sought)
    if not found:
        raise NotFound(
            f"no overlay pins {text}, or did in its newest {_MOST_RELEASES} releases",
            hint="`gitops images list` shows which images there are",
        )
    return found


def show_image(session: Session, text: str) -> tuple[ShownImage, ...]:
    """Return what an image is by its registry, and where it runs: `NAME:TAG` or `NAME@DIGEST`.

    Raises UsageError, NotFound, and what `Registry` raises.
    """
    views = views_of(session, open_tip(session))
    sought = _sought(text, views)
    reference = sought.digest or sought.tag
    if sought.name is None or reference is None:
        raise UsageError(
            f"{text!r} says not which image: name it with a tag or a digest",
            hint="gitops images show shop/api:1.4.2",
        )
    named = [name for name in _registries(views, sought.name) if name is not None]
    own = image_name(sought.name)
    names = list(dict.fromkeys([own] if own is not None else named))
    if not names:
        raise NotFound(
            f"{sought.name} names no registry: nobody can be asked",
            hint="give it a newName with a host, as in registry.example.com/shop/api",
        )
    stays = _stays(views, sought)
    return tuple(
        ShownImage(name, reference, session.registry.describe(name, reference), stays)
        for name in names
    )


def list_images(session: Session, images: Sequence[str], limit: int) -> tuple[ListedImage, ...]:
    """Return the images of all overlays; of those that are named their newest `limit` tags, too.

    Raises NotFound for an image that no overlay has.
    """
    views = views_of(session, open_tip(session))
    pinned = _pinned(views)
    for image in images:
        require_pinned(image, pinned)
    found = []
    for image in images or sorted(pinned):
        by_name: dict[str, list[tuple[str, ImageValue]]] = {}
        for label, value in pinned[image]:
            by_name.setdefault(value.name or image, []).append((label, value))
        for text, where in by_name.items():
            name = image_name(text)
            listed = ListedImage(image, name, tuple(where))
            found.append(_with_tags(session, listed, limit) if images else listed)
    return tuple(found)


def _with_tags(session: Session, listed: ListedImage, limit: int) -> ListedImage:
    image, name, where = listed.image, listed.name, listed.where
    if name is None:
        return ListedImage(image, name, where, problem="its name says no registry to ask")
    try:
        tags = dict.fromkeys(session.registry.tags(name))
        states = read_states(session.registry, name, tags, session.say)
        add_details(session.registry, name, states, list(states)[:_MOST_DETAILS])
    except GitopsError as error:
        return ListedImage(image, name, where, problem=error.message)
    begin = datetime.min.replace(tzinfo=UTC)
    order = sorted(states, key=lambda tag: (states[tag].created or begin, tag), reverse=True)
    told = tuple(
        ListedTag(
            tag,
            states[tag].digest,
            states[tag].created,
            tuple(
                label
                for label, value in where
                if (value.digest == states[tag].digest if value.digest else value.tag == tag)
            ),
        )
        for tag in (order[:limit] if limit else order)
    )
    return ListedImage(image, name, where, told, len(order) - len(told))


def _pinned(views: Sequence[OverlayView]) -> Mapping[str, list[tuple[str, ImageValue]]]:
    found: dict[str, list[tuple[str, ImageValue]]] = {}
    for view in views:
        try:
            images = view.images
        except (ManifestError, NotFound):
            continue
        for image, value in images.items():
            found.setdefault(image, []).append((view.label, value))
    return found


def _registries(views: Sequence[OverlayView], text: str) -> list[ImageName | None]:
    return [
        image_name(value.name or image)
        for image, where in _pinned(views).items()
        for _, value in where
        if text in (image, value.name)
    ]


def _sought(text: str, views: Sequence[OverlayView]) -> _Sought:
    """Read what was typed. Raises UsageError for what can be neither image, tag nor digest."""
    if is_digest(text):
        return _Sought(None, None, text)
    pinned = _pinned(views)
    names = {*pinned} | {value.name for one in pinned.values() for _, value in one if value.name}
    if text in names:
        return _Sought(text, None, None)
    name, tag, digest = split_reference(text)
    if (digest is not None and not is_digest(digest)) or (tag is not None and not is_tag(tag)):
        raise UsageError(f"{text!r} is no image", hint="NAME[:TAG][@DIGEST], a tag, or a digest")
    if tag is None and digest is None and "/" not in text and is_tag(text):
        return _Sought(None, text, None)
    if name not in names and image_name(name) is None:
        require_pinned(name, pinned)
    return _Sought(name, tag, digest)


def _stays(views: Sequence[OverlayView], sought: _Sought) -> tuple[Stay, ...]:
    committed = [view for view in views if view.row.change != "work-tree"]
    if committed:
        gather_releases(committed)
    count = committed[0].session.count if committed else nobody_counts
    looked_at = counted(count, "reading releases of overlays", committed)
    found = [stay for view in looked_at for stay in _of_overlay(view, sought)]
    begin = datetime.min.replace(tzinfo=UTC)
    return tuple(
        sorted(found, key=lambda one: (one.until is None, one.since or begin), reverse=True)
    )


def _of_overlay(view: OverlayView, sought: _Sought) -> Iterator[Stay]:
    """Yield the times in which an overlay pinned it, the newest first."""
    open_: dict[str, Stay] = {}
    before: datetime | None = None
    for release in islice(releases_of(view), _MOST_RELEASES):
        if release.images is None:
            continue
        for image in [*open_]:
            if release.images.get(image) != open_[image].value:
                yield open_.pop(image)
        for image, value in release.images.items():
            if not sought.fits(image, value):
                continue
            until = open_[image].until if image in open_ else before
            open_[image] = Stay(
                view.overlay,
                image,
                value,
                release.commit,
                release.time,
                release.author.name,
                until,
            )
        before = release.time
    yield from open_.values()
