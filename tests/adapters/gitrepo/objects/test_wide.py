"""Wide folders that are read by what differs: what came out is what parsing would have given."""

from __future__ import annotations

import random

from gitops.adapters.gitrepo.objects.codec import ObjectEntry, parse_tree, render_tree
from gitops.adapters.gitrepo.objects.wide import WideTrees


def _oid(number: int) -> str:
    return f"{number:040x}"


def _tree(count: int) -> dict[str, ObjectEntry]:
    return {f"app-{one:04}": ObjectEntry("40000", _oid(one)) for one in range(count)}


def test_ids_that_differ_are_all_that_is_read() -> None:
    """A hundred commits that each replace up to four ids, ends included, read as parsed."""
    chance = random.Random(5)
    trees, now = WideTrees(20), _tree(200)
    trees.note(render_tree(now), now)
    for number in range(100):
        for at in chance.sample([0, 1, 57, 58, 100, 198, 199], chance.randrange(5)):
            now[f"app-{at:04}"] = ObjectEntry("40000", _oid(1_000_000 + number * 1000 + at))
        body = render_tree(now)
        read = trees.read(body)
        assert read is not None
        assert list(read.items()) == list(parse_tree(body).items())


def test_other_names_kinds_and_lengths_are_parsed() -> None:
    """What has another name or mode, or was never seen at this length, is left to the parser."""
    base = _tree(200)
    known = render_tree(base)
    renamed = {name.replace("0057", "0x57"): one for name, one in base.items()}
    linked = base | {"app-0057": ObjectEntry("12000", _oid(57))}  # as long, and no kind of Git's
    everything = {name: ObjectEntry("40000", "f" * 40) for name in base}
    for other in (renamed, linked, everything, _tree(199)):
        trees = WideTrees(20)
        trees.note(known, base)
        assert trees.read(render_tree(other)) is None
    assert WideTrees(20).read(known) is None


def test_a_name_that_stands_twice_is_never_taken_for_known() -> None:
    """A folder that Git would not write has fewer names than entries: it is parsed each time."""
    once = render_tree(_tree(200))
    twice = once + once[-30:].partition(b"40000 ")[0] + render_tree(_tree(1))
    trees = WideTrees(20)
    trees.note(twice, parse_tree(twice))
    assert trees.read(twice) is None
