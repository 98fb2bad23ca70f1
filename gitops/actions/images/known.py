"""Where a deploy's images were looked up last: the next one asks there before it has read anything.

A guess, kept with what is remembered of the repository. What is written comes of what
`gitops.yaml` says at the tip; a question that it would not ask was asked in vain, and not again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from gitops.core.images.name import ImageName, image_name
from gitops.core.kustomization.image import parse_image
from gitops.errors import GitopsError
from gitops.ports import Index
from gitops.ports.index import LOOKS

_MOST = 200


def recall(index: Index, images: Sequence[str]) -> Iterator[tuple[ImageName, str]]:
    """Yield what a deploy of `images` (`NAME[=NEW][:TAG|@DIGEST]`) will most likely ask for."""
    known = _read(index)
    if not known:
        return
    for text in images:
        with suppress(GitopsError):
            wanted = parse_image(text)
            new = wanted.name if isinstance(wanted.name, str) else None
            name = image_name(new or known.get(wanted.image, ""))
            said = [one for one in (wanted.tag, wanted.digest) if isinstance(one, str)]
            if wanted.image in known and name is not None and said:
                yield name, said[0]


def note(index: Index, asked: Mapping[str, ImageName]) -> None:
    """Keep where images were looked up: image -> where; {} where nobody was asked."""
    known = _read(index)
    told = {image: str(name) for image, name in asked.items()}
    if (known == {} and not told) or (told and told.items() <= known.items()):
        return
    kept = dict(list((known | told).items())[-_MOST:])
    index.keep(LOOKS, msgspec.json.encode(kept) if told else b"")


def _read(index: Index) -> dict[str, str]:
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(index.page(LOOKS) or b"{}", type=dict[str, str])
    return {}
