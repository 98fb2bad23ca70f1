"""One page of the index: what Git says of the overlays of one environment, as of one commit.

A page is a copy. It comes from where only this user writes (`ports.Index`), and is taken for no
more than what the plain reading said at its commit: `moved.py` adds what landed since. Another
form, another row of `gitops.yaml`, another branch, or a commit that is none of the branch's own:
then there is no page, and all is read again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gitops import __version__
from gitops.core.environments.environment import Environment
from gitops.core.git.commit import Identity
from gitops.core.git.proof import Proof
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.release import Release

_LARGEST = 1 << 26  # bytes of a page; more cannot have been kept


class IndexedOverlay(Struct, frozen=True, array_like=True):
    """What Git says of one overlay.

    Attributes:
        app: None where the layout has no apps.
        images: what it pins; None: that cannot be read, and `problem` says why.
        hold: its own, or its environment's; not the one of everything.
        release: the newest one; None: there is none, or `images` is None. Its images are left out
            where they are those of `images`, see `newest`.
        astray: what it runs in place of what its hold restores; None: it runs that.
        unseen: why no release could be seen; such a page is not kept.
        words: what counts of the words on the release; `heard`: what does not count and why.
    """

    app: str | None
    images: Mapping[str, ImageValue] | None = None
    problem: str | None = None
    hold: Hold | None = None
    release: Release | None = None
    alike: bool = False
    astray: str | None = None
    unseen: str | None = None
    words: tuple[CountedVerdict, ...] = ()
    heard: tuple[str, ...] = ()

    @property
    def newest(self) -> Release | None:
        """The newest release, with its images."""
        if self.release is None or not self.alike:
            return self.release
        return replace(self.release, images=self.images)


class PageBody:
    """The overlays of a page, which are decoded when somebody asks for them.

    Of most environments nobody does: nothing landed there, and what was told of them was kept.
    """

    def __init__(
        self, overlays: tuple[IndexedOverlay, ...] | None = None, content: bytes = b""
    ) -> None:
        """`content`: as `pack` wrote them, where they are not given."""
        self._overlays = overlays
        self._content = content
        self.digest = _digest(content) if content else None

    @property
    def overlays(self) -> tuple[IndexedOverlay, ...]:
        """The overlays, in the order of their names."""
        if self._overlays is None:
            whole = zlib.decompressobj().decompress(self._content, _LARGEST)
            self._overlays = msgspec.msgpack.decode(whole, type=tuple[IndexedOverlay, ...])
        return self._overlays

    def pack(self) -> bytes | None:
        """Return them as they are kept; None where they are too large."""
        if not self._content:
            content = msgspec.msgpack.encode(self._overlays)
            if len(content) > _LARGEST:
                return None
            self._content = zlib.compress(content, 1)
            self.digest = _digest(self._content)
        return self._content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class IndexPage(Struct, frozen=True):
    """The overlays of one environment, as of one commit of its branch.

    Attributes:
        row: what `row_mark` says of the environment.
        tip: the commit.
        ledger: commit of the ledger that `words` are from; "" for none, None: nobody looked.
        quiet: False: of some overlay there is something to warn of, or nobody looked.
    """

    row: str
    branch: str
    tip: str
    ledger: str | None
    body: PageBody
    quiet: bool = False

    @property
    def overlays(self) -> tuple[IndexedOverlay, ...]:
        """The overlays, in the order of their names."""
        return self.body.overlays

    @property
    def mark(self) -> str | None:
        """A mark of the overlays, where all that is to be told of them stands in the page."""
        return self.body.digest if self.quiet else None

    def having(self, overlays: tuple[IndexedOverlay, ...], **news: str | None) -> IndexPage:
        """Return the page with other overlays; `news`: fields that change, too."""
        return replace(self, body=PageBody(overlays), quiet=False, **news)


class _KeptPage(Struct, frozen=True, array_like=True):
    """A page as it is kept. `digest` is that of `body`, which is looked at when it is wanted."""

    form: str
    row: str
    branch: str
    tip: str
    ledger: str | None
    quiet: bool
    digest: str
    body: bytes


_SHAPES = [
    one.__struct_fields__
    for one in (
        _KeptPage,
        IndexedOverlay,
        Release,
        Identity,
        Hold,
        ImageValue,
        CountedVerdict,
        Proof,
    )
]
FORM = f"gitops-index 2 {__version__} {hashlib.sha256(repr(_SHAPES).encode()).hexdigest()[:12]}"


def page_name(row: Environment, branch: str) -> str:
    """Return the name that the page of an environment is kept under."""
    return f"{branch}:{row.name}"


def row_mark(row: Environment) -> str:
    """Return a mark of all that `gitops.yaml` says of an environment."""
    return hashlib.sha256(msgspec.msgpack.encode(replace(row, line=0))).hexdigest()


def new_page(
    row: Environment, branch: str, tip: str, overlays: tuple[IndexedOverlay, ...]
) -> IndexPage:
    """Return a page that nobody added words to."""
    return IndexPage(row_mark(row), branch, tip, None, PageBody(overlays))


def is_quiet(overlays: Iterable[IndexedOverlay]) -> bool:
    """Say whether there is nothing to warn of."""
    return not any(one.astray is not None or one.unseen or one.heard for one in overlays)


def render_page(page: IndexPage) -> bytes | None:
    """Write it down; None where it is not whole, or too large."""
    if any(one.unseen is not None for one in page.overlays):
        return None
    content = page.body.pack()
    if content is None or page.body.digest is None:
        return None
    place = (page.row, page.branch, page.tip, page.ledger)
    return msgspec.msgpack.encode(_KeptPage(FORM, *place, page.quiet, page.body.digest, content))


def parse_page(content: bytes | None, row: Environment, branch: str) -> IndexPage | None:
    """Read what `render_page` wrote, where it is about this environment as it is now."""
    if content is None:
        return None
    with suppress(msgspec.MsgspecError):
        kept = msgspec.msgpack.decode(content, type=_KeptPage)
        body = PageBody(None, kept.body)
        if kept.digest == body.digest and (kept.form, kept.row, kept.branch) == (
            FORM,
            row_mark(row),
            branch,
        ):
            return IndexPage(kept.row, branch, kept.tip, kept.ledger, body, kept.quiet)
    return None
