"""One page of the index: what Git says of the overlays of one environment, as of one commit.

A page is a copy. It comes from where only this user writes (`ports.Index`), and is taken for no
more than what the plain reading said at its commit: `moved.py` adds what landed since. Another
form, another row of `gitops.yaml`, another branch, or a commit that is none of the branch's own:
then there is no page, and all is read again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
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


class IndexPage(Struct, frozen=True, array_like=True):
    """The overlays of one environment, as of one commit of its branch.

    Attributes:
        row: what `row_mark` says of the environment.
        tip: the commit.
        ledger: commit of the ledger that `words` are from; "" for none, None: nobody looked.
        overlays: in the order of their names.
    """

    form: str
    row: str
    branch: str
    tip: str
    ledger: str | None
    overlays: tuple[IndexedOverlay, ...]


_SHAPES = [
    one.__struct_fields__
    for one in (
        IndexPage,
        IndexedOverlay,
        Release,
        Identity,
        Hold,
        ImageValue,
        CountedVerdict,
        Proof,
    )
]
FORM = f"gitops-index 1 {__version__} {hashlib.sha256(repr(_SHAPES).encode()).hexdigest()[:12]}"


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
    return IndexPage(FORM, row_mark(row), branch, tip, None, overlays)


def render_page(page: IndexPage) -> bytes | None:
    """Write it down; None where it is not whole, or too large."""
    if any(one.unseen is not None for one in page.overlays):
        return None
    content = msgspec.msgpack.encode(page)
    return zlib.compress(content, 1) if len(content) <= _LARGEST else None


def parse_page(content: bytes | None, row: Environment, branch: str) -> IndexPage | None:
    """Read what `render_page` wrote, where it is about this environment as it is now."""
    if content is None:
        return None
    with suppress(msgspec.MsgspecError, zlib.error, ValueError):
        stream = zlib.decompressobj()
        whole = stream.decompress(content, _LARGEST)
        page = msgspec.msgpack.decode(whole, type=IndexPage)
        if (
            stream.eof
            and not stream.unused_data
            and (page.form, page.row, page.branch) == (FORM, row_mark(row), branch)
        ):
            return page
    return None
