"""Few objects that a store holds in a pack of their own."""

from __future__ import annotations

import os

import pytest

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import missing, object_id
from gitops.adapters.gitrepo.objects.store import Store

OBJECTS = {object_id("blob", body): ("blob", body) for body in (b"one\n", b"two\n", b"")}


@pytest.mark.parametrize("stays", [False, True])
def test_what_is_held_is_read_by_git_and_counts_as_outside(stays: bool) -> None:
    """Git has the objects; the cache takes them one by one, since no pack of `packs` has them."""
    store = Store(Git(os.environ))
    store.stays = stays
    try:
        store.hold(OBJECTS)
        store.hold({})

        assert store.packs() == ()
        assert missing(store.path / "objects", OBJECTS) == []
        args = [*store.args, "cat-file", "--batch-check"]
        told = Git(os.environ).run(args, feed="\n".join(OBJECTS).encode()).text.split("\n")
        assert told == [f"{oid} blob {len(body)}" for oid, (_, body) in OBJECTS.items()]
        outside = store.outside()
        assert {oid: outside(oid) for oid in OBJECTS} == OBJECTS
        assert outside(object_id("blob", b"three\n")) is None
    finally:
        store.close()
