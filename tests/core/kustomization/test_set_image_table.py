"""What `kustomize edit set image` is tested for by its makers, in our words: the same entries.

Left out on purpose are only three of its accidents: a tag under a kept digest of something else is
refused, so are words that name neither tag nor digest, and `NAME:TAG` keeps an existing `newName`.
"""

from __future__ import annotations

import pytest

from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.image import ImageValue, parse_image
from gitops.errors import UsageError

A, B = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32
HERE = "registry.example.com:8800/team/web"
Entries = dict[str, tuple[str | None, str | None, str | None]]  # name -> newName, newTag, digest

TABLE: list[tuple[Entries, list[str], Entries]] = [
    # A file without the image gets an entry.
    ({}, ["web=shop/web:v1"], {"web": ("shop/web", "v1", None)}),
    ({}, [f"web=shop/web@{A}"], {"web": ("shop/web", None, A)}),
    ({}, [f"web=shop/web:v1@{A}"], {"web": ("shop/web", "v1", A)}),
    ({}, ["web:v1"], {"web": (None, "v1", None)}),
    ({}, [f"web@{A}"], {"web": (None, None, A)}),
    ({}, [f"web:v1@{A}"], {"web": (None, "v1", A)}),
    ({}, [f"web={HERE}"], {"web": (HERE, None, None)}),
    ({}, [f"web={HERE}:dev-01"], {"web": (HERE, "dev-01", None)}),
    ({}, [f"{HERE}:v1"], {HERE: (None, "v1", None)}),
    # An entry that is there is written over, whole.
    (
        {"web": ("old/web", "v0", None), "api": ("old/api", "v0", None)},
        [f"web={HERE}:v1"],
        {"web": (HERE, "v1", None), "api": ("old/api", "v0", None)},
    ),
    ({"web": (None, "v0", None)}, ["web:v1"], {"web": (None, "v1", None)}),
    ({"web": (None, "v0", None)}, [f"web@{A}"], {"web": (None, None, A)}),
    ({"web": (None, None, A)}, ["web:v1"], {"web": (None, "v1", None)}),
    ({"web": (None, None, A)}, [f"web@{B}"], {"web": (None, None, B)}),
    ({"web": (None, "v0", A)}, [f"web:v1@{B}"], {"web": (None, "v1", B)}),
    ({"web": ("old/web", "v0", None)}, [f"web={HERE}"], {"web": (HERE, None, None)}),
    ({"web": ("old/web", None, A)}, [f"web={HERE}:v1"], {"web": (HERE, "v1", None)}),
    # Several at once, each in its way.
    (
        {
            "web": ("old/web", "v0", None),
            "api": ("old/api", "v0", None),
            "job": (None, "v0", None),
        },
        [f"web={HERE}:v1", f"api=shop/api@{A}", "job:v1"],
        {"web": (HERE, "v1", None), "api": ("shop/api", None, A), "job": (None, "v1", None)},
    ),
    # A star keeps what is there.
    ({"web": ("old/web", "v0", None)}, ["web=*:v1"], {"web": ("old/web", "v1", None)}),
    ({"web": ("old/web", "v0", None)}, [f"web=*@{A}"], {"web": ("old/web", None, A)}),
    ({"web": ("old/web", "v0", None)}, [f"web=*:*@{A}"], {"web": ("old/web", "v0", A)}),
    ({"web": ("old/web", "v0", None)}, [f"web={HERE}:*"], {"web": (HERE, "v0", None)}),
    ({"web": ("old/web", None, A)}, [f"web={HERE}@*"], {"web": (HERE, None, A)}),
    ({"web": ("old/web", "v0", A)}, [f"web={HERE}:*@*"], {"web": (HERE, "v0", A)}),
    # The one difference on purpose that gives an entry: a name that is there stays.
    ({"web": ("old/web", "v0", None)}, ["web:v1"], {"web": ("old/web", "v1", None)}),
]


def written(entries: Entries) -> bytes:
    """A kustomization with these entries."""
    lines = ["resources: [../base]"] + (["images:"] if entries else [])
    for image, fields in entries.items():
        lines.append(f"- name: {image}")
        for key, value in zip(("newName", "newTag", "digest"), fields, strict=True):
            lines += [f"  {key}: {value}"] if value is not None else []
    return ("\n".join(lines) + "\n").encode()


def test_it_is_the_whole_table() -> None:
    """As many rows as there are."""
    assert 25 == len(TABLE)


@pytest.mark.parametrize(("before", "arguments", "expected"), TABLE)
def test_a_row(before: Entries, arguments: list[str], expected: Entries) -> None:
    """The entries afterwards, in a file whose other lines stay."""
    requests = [parse_image(text) for text in arguments]
    edit = edit_images(written(before), "kustomization.yaml", requests, add=True)

    assert {image: ImageValue(*fields) for image, fields in expected.items()} == image_values(
        edit.after, "kustomization.yaml"
    )
    assert edit.after.startswith(b"resources: [../base]\n")


@pytest.mark.parametrize("argument", ["bad", "args", "web=*:v1@*", "", "web=*", "web="])
def test_what_is_refused(argument: str) -> None:
    """Words that ask for nothing, and a tag over the digest of something else."""
    with pytest.raises(UsageError):
        parse_image(argument)
