"""New entries look like their neighbours, and stand where nothing else is touched."""

import pytest

from gitops.core.kustomization import edit_images
from gitops.core.kustomization.image import ImageChange, ImageValue, parse_image
from gitops.errors import UsageError

A = "sha256:" + "a" * 64


def edit(content, *images, add=False):
    """Edit `content` (text or bytes) as IMAGE arguments ask."""
    content = content if isinstance(content, bytes) else content.encode()
    return edit_images(content, "k.yaml", [parse_image(image) for image in images], add=add)


ADDED = {
    "block": ("images:\n- name: a\n", "images:\n- name: a\n- name: new\n  newTag: v1\n"),
    "before comments": (
        "images:\n  - name: a # one\n# two\nresources: []\n",
        "images:\n  - name: a # one\n  - name: new\n    newTag: v1\n# two\nresources: []\n",
    ),
    "no final newline": (
        "images:\r\n- name: a\r\n  newTag: v1",
        "images:\r\n- name: a\r\n  newTag: v1\r\n- name: new\r\n  newTag: v1",
    ),
    "spacing": (
        "images:\n -   name: a\n     newTag: 'x'\n",
        "images:\n -   name: a\n     newTag: 'x'\n -   name: new\n     newTag: v1\n",
    ),
    "empty last value": (
        "images:\n- name: a\n  newTag:\nresources: []\n",
        "images:\n- name: a\n  newTag:\n- name: new\n  newTag: v1\nresources: []\n",
    ),
    "dash alone": (
        "images:\n-\n  name: a\n",
        "images:\n-\n  name: a\n- name: new\n  newTag: v1\n",
    ),
    "flow entry": (
        'images:\n- { "name": "a" }\n',
        'images:\n- { "name": "a" }\n- { "name": "new", "newTag": "v1" }\n',
    ),
    "flow list": (
        "images: [{name: a}]\n",
        "images: [{name: a}, {name: new, newTag: v1}]\n",
    ),
    "flow list over lines": (
        "images: [\n  {name: a},\n  {name: b}\n]\n",
        "images: [\n  {name: a},\n  {name: b},\n  {name: new, newTag: v1}\n]\n",
    ),
    "flow list, comma at the end": (
        "images: [{name: a},]\n",
        "images: [{name: a}, {name: new, newTag: v1},]\n",
    ),
    "json": (
        '{"images":[{"name":"a"}]}',
        '{"images":[{"name":"a"},{"name":"new","newTag":"v1"}]}',
    ),
    "empty list": ("images: []\n", "images: [{name: new, newTag: v1}]\n"),
    "empty json list": ('{"images": []}', '{"images": [{"name": "new", "newTag": "v1"}]}'),
    "nothing behind images": (
        "images: # none\nresources:\n  - a\n",
        "images: # none\n  - name: new\n    newTag: v1\nresources:\n  - a\n",
    ),
    "no list": ("resources:\n- a\n", "resources:\n- a\nimages:\n- name: new\n  newTag: v1\n"),
    "no list, indented": (
        "resources:\n    - a\n",
        "resources:\n    - a\nimages:\n    - name: new\n      newTag: v1\n",
    ),
    "no list, no newline": (
        "resources:\r\n- a",
        "resources:\r\n- a\r\nimages:\r\n- name: new\r\n  newTag: v1",
    ),
    "no list, comment last": (
        "resources: [a]\n# end",
        "resources: [a]\n# end\nimages:\n- name: new\n  newTag: v1",
    ),
    "no list, end marker": (
        "---\nresources: [a]\n...\n",
        "---\nresources: [a]\nimages:\n- name: new\n  newTag: v1\n...\n",
    ),
    "no list, second document": (
        "resources: [a]\n---\nimages: [\n",
        "resources: [a]\nimages:\n- name: new\n  newTag: v1\n---\nimages: [\n",
    ),
    "no list, indented root": (
        "  resources: [a]\n",
        "  resources: [a]\n  images:\n  - name: new\n    newTag: v1\n",
    ),
    "no list, json": (
        '{\n  "resources": ["a"]\n}\n',
        '{\n  "resources": ["a"],\n  "images": [{"name": "new", "newTag": "v1"}]\n}\n',
    ),
    "old name of the list": (
        "imageTags:\n- name: a\n",
        "imageTags:\n- name: a\n- name: new\n  newTag: v1\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), ADDED.values(), ids=list(ADDED))
def test_add(before, after):
    """A new entry looks like its neighbours; a list is made where there is none."""
    result = edit(before, "new:v1", add=True)

    assert after == result.after.decode()
    assert (ImageChange("new", ImageValue(), ImageValue(None, "v1", None)),) == result.changes
    assert result.after == edit(result.after, "new:v1", add=True).after


def test_add_several_and_edit():
    """New entries keep the order of the requests; entries that are there are edited."""
    result = edit("images:\n- name: app\n", "b:1", "app:v2", f"c=r/c:x@{A}", add=True)

    assert (
        'images:\n- name: app\n  newTag: v2\n- name: b\n  newTag: "1"\n'
        f"- name: c\n  newName: r/c\n  newTag: x\n  digest: {A}\n"
    ) == result.after.decode()
    assert ["b", "app", "c"] == [change.image for change in result.changes]


def test_add_that_pins_nothing():
    """An entry of a name alone would be an empty edit."""
    with pytest.raises(UsageError):
        edit("images: []\n", "app=app", add=True)
