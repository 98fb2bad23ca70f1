"""Short files that cost more than they hold: aliases of aliases, long lines, many of a kind."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gitops.core.audit.application_files import names_by_folder
from gitops.core.compare.manifest_diff import diff_manifests
from gitops.core.data.classes import hosts_in
from gitops.core.environments.layout import KustomizedFolder, find_layout
from gitops.core.kustomization import edit_images, read_entries
from gitops.core.kustomization.edit import only_images
from gitops.core.kustomization.graph import walk
from gitops.core.kustomization.image import ImageRequest
from gitops.core.kustomization.rendered import rendered_images
from gitops.errors import ManifestError
from tree_files import DictFiles

PATH = "overlays/prod/kustomization.yaml"
SET = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\n"


def power(first: str, row: str, levels: int) -> str:
    """Return anchors x0, x1, …, each of which names the one before it eight times."""
    rows = [f"x0: &x0 {first}"]
    for level in range(1, levels + 1):
        names = ", ".join([f"*x{level - 1}"] * 8)
        rows.append(f"x{level}: &x{level} {row.format(names=names)}")
    return "\n".join(rows) + "\n"


def merged_keys() -> None:
    """Merge keys of merge keys."""
    content = power("{a: b}", "{{<<: [{names}]}}", 7) + "<<: *x7\nimages: []\n"
    with pytest.raises(ManifestError, match="is repeated by aliases more often"):
        read_entries(content.encode(), PATH)


def generators() -> None:
    """Generators of generators."""
    content = SET + power("[]", "[{names}]", 9) + "spec: {generators: *x9}\n"
    assert {} == names_by_folder(content.encode(), "a.yaml")


def anchors() -> None:
    """An anchor that is set again and again, and as many aliases."""
    content = "x:\n" + "- &t v1\n" * 30_000 + "images:\n" + "- {name: *t}\n" * 4_000
    assert 4_000 == len(read_entries(content.encode(), PATH))


def one_line() -> None:
    """An edit of a file that is one line."""
    names = [f"i{number}" for number in range(2_500)]
    content = "images: [" + ", ".join(f"{{name: {name}, newTag: a}}" for name in names) + "]\n"
    wanted = [ImageRequest(name, tag="b", digest="sha256:" + "0" * 64) for name in names]
    assert 2_500 == len(edit_images(content.encode(), PATH, wanted).changes)


def shared() -> None:
    """A proposal that changes many images, in a file where one text is shared."""
    entries = "".join(
        f"- name: i{number}\n  newTag: a\n  newName: r/i{number}\n" for number in range(3_000)
    )
    before = f"x: &a b\ny: *a\nimages:\n{entries}"
    after = before.replace("newTag: a", "newTag: b")
    assert only_images(before.encode(), after.encode(), PATH)


def dots() -> None:
    """A text of which each word might begin the name of a host."""
    assert 1 == len(set(hosts_in("a." * 20_000)))


def secret() -> None:
    """A Secret with many values, all of them hidden."""
    text = "kind: Secret\nmetadata: {name: a}\ndata:\n"
    text += "".join(f"  k{number}: dg==\n" for number in range(20_000))
    (found,) = diff_manifests(text, text + "  z: dw==\n")
    assert (("Secret ?", ()), True) == ((found.name, found.lines), found.cut > 20_000)


def customers() -> None:
    """A folder for each of many customers."""
    folders = [KustomizedFolder(f"overlays/c{one}-prod", ("a",)) for one in range(1_500)]
    assert 1_500 == len(find_layout(folders).environments)


def link() -> None:
    """A symbolic link that goes down and up again."""
    files = {
        "kustomization.yaml": b"resources: [l]\n",
        "a/x.yaml": b"",
        "l": b"-> " + b"a/../" * 400_000 + b"a/x.yaml",
    }
    assert ["l leads through a link that is too long"] == walk(DictFiles(files), "").limits


@pytest.mark.parametrize(
    "work", [link, merged_keys, generators, anchors, shared, one_line, dots, secret, customers]
)
def test_it_ends_soon(work: Callable[[], None]) -> None:
    """Whoever may push some branch chooses these, and everybody reads them."""
    begun = time.process_time()
    work()
    assert time.process_time() - begun < 2


def test_what_holds_itself() -> None:
    """A list that is an item of itself has no end, and is looked at once."""
    applications = b"kind: ApplicationList\nitems: &a [{kind: List, items: *a}]\n"

    assert {} == names_by_folder(applications, "a.yaml")
    assert ["a"] == list(rendered_images("containers: &c [{image: a:1, containers: *c}]\n"))
