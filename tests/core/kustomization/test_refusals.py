"""What must not be edited is refused: the place, the reason, a way out, and not a byte written."""

import pytest

from gitops.core.kustomization import edit_images
from gitops.core.kustomization.image import parse_image
from gitops.errors import ManifestError

PATH = "overlays/dev/kustomization.yaml"

# content, the place, what the message says
REFUSED = {
    "alias": (
        "x: &t v1\nimages:\n- name: app\n  newTag: *t\n",
        (4, 11),
        "is shared: *t is what stands on line 1",
    ),
    "anchor in use": (
        "images:\n- name: app\n  newTag: &t v1\n- name: b\n  newTag: *t\n",
        (3, 11),
        "&t is used on line 5",
    ),
    "key with an anchor in use": (
        "images:\n- name: app\n  &k newTag: v1\nx: *k\n",
        (3, 3),
        "&k is used on line 4",
    ),
    "entry is an alias": (
        "x: &e {name: app, newTag: v1}\nimages:\n- *e\n",
        (3, 3),
        "*e is what stands on line 1",
    ),
    "entry with an anchor in use": (
        "images:\n- &e\n  name: app\n  newTag: v1\nx: *e\n",
        (2, 3),
        "&e is used on line 5",
    ),
    "list is an alias": (
        "x: &l\n- name: app\n  newTag: v1\nimages: *l\n",
        (4, 9),
        "*l is what stands on line 1",
    ),
    "list with an anchor in use": (
        "images: &l\n- name: app\n  newTag: v1\nx: *l\n",
        (1, 9),
        "&l is used on line 4",
    ),
    "value by a merge key": (
        "x: &b {newTag: v1}\nimages:\n- name: app\n  <<: *b\n",
        (3, 3),
        "comes by a merge key (<<) on line 1",
    ),
    "value before a merge key that has it too": (
        "x: &b {newTag: v0}\nimages:\n- name: app\n  newTag: v1\n  <<: *b\n",
        (3, 3),
        "comes by a merge key",
    ),
    "value behind a merge key that has it too": (
        "x: &b {newTag: v0}\nimages:\n- name: app\n  <<: *b\n  newTag: v1\n",
        (3, 3),
        "comes by a merge key",
    ),
    "name by a merge key": (
        "x: &b {name: app}\nimages:\n- <<: *b\n",
        (3, 3),
        "has its name from elsewhere",
    ),
    "list by a merge key": (
        "x: &b {images: [{name: app, newTag: v1}]}\n<<: *b\n",
        (1, 8),
        "images: comes by a merge key",
    ),
    "literal of two lines": (
        "images:\n- name: app\n  newTag: |\n    v1\n    v2\n",
        (3, 11),
        "a text of several lines",
    ),
    "folded of two lines": (
        "images:\n- name: app\n  newTag: >-\n    v1\n    v2\n",
        (3, 11),
        "a text of several lines",
    ),
    "folded with a comment": (
        "images:\n- name: app\n  newTag: >- # c\n    v1\n",
        (3, 11),
        "a text of several lines",
    ),
    "quoted with a line break": (
        'images:\n- name: app\n  newTag: "v1\\nv2"\n',
        (3, 11),
        "a text of several lines",
    ),
    "key twice": (
        "images:\n- name: app\n  newTag: v1\n  digest: x\n  newTag: v0\n",
        (5, 3),
        "newTag stands twice in the entry of app, first on line 3",
    ),
    "key twice, in other case": (
        "images:\n- name: app\n  newTag: v1\n  newtag: v0\n",
        (4, 3),
        "first on line 3",
    ),
    "name twice in an entry": (
        "images:\n- name: b\n  name: app\n",
        (3, 3),
        "name stands twice",
    ),
    "two entries of one name": (
        "images:\n- name: app\n  newTag: v1\n- name: app\n  newTag: v0\n",
        (4, 3),
        "app stands in the list twice, first on line 2",
    ),
    "images twice": (
        "images:\n- name: b\nimages:\n- name: app\n",
        (3, 1),
        "images: stands here again, first on line 1",
    ),
    "images and Images": (
        "images:\n- name: app\nImages:\n- name: b\n",
        (3, 1),
        "images: stands here again, first on line 1",
    ),
    "one name in images and imageTags": (
        "imageTags:\n- name: app\nimages:\n- name: app\n",
        (2, 3),
        "app stands in the list twice",
    ),
    "shell template": ("images:\n- name: app\n  newTag: ${TAG}\n", (3, 11), "a template: ${TAG}"),
    "quoted template": (
        "images:\n- name: app\n  newTag: '{{ tag }}'\n",
        (3, 11),
        "a template: {{ tag }}",
    ),
    "bare template": ("images:\n- name: app\n  newTag: {{ tag }}\n", (3, 11), "a template: {{"),
    "kustomize variable": ("images:\n- name: app\n  newTag: $(TAG)\n", (3, 11), "a template"),
    "value is a list": ("images:\n- name: app\n  newTag: [v1]\n", (3, 11), "is no text"),
    "value is a mapping": ("images:\n- name: app\n  newTag:\n    a: b\n", (4, 5), "is no text"),
    "own tag": ("images:\n- name: app\n  newTag: !x v1\n", (3, 11), "has the tag !x"),
    "tag of a number": (
        "images:\n- name: app\n  newTag: !!int 1\n",
        (3, 11),
        "has the tag tag:yaml.org,2002:int",
    ),
    "number as a name": ("images:\n- name: app\n- name: 123\n", (3, 9), "does not take the name"),
    "entry is a text": ("images:\n- name: app\n- b\n", (3, 3), "no mapping"),
    "name is a list": ("images:\n- name: app\n- name: [b]\n", (3, 9), "name is no text"),
    "images is a mapping": ("images:\n  name: app\n", (2, 3), "images: is not a list"),
    "images is a text": ("images: app\n", (1, 9), "images: is not a list"),
    "root is a list": ("- name: app\n", (1, 1), "is not a mapping"),
    "root is a text": ("app\n", (1, 1), "is not a mapping"),
    "yaml 1.2 line": (
        "%YAML 1.2\n---\nimages:\n- name: app\n",
        (1, 1),
        "no document of this YAML version",
    ),
    "tab as indentation": ("images:\n- name: app\n\tnewTag: v1\n", (3, 1), "is not valid YAML"),
    "template around the list": (
        "{{- if .x }}\nimages:\n- name: app\n{{- end }}\n",
        (1, 3),
        "is not valid YAML",
    ),
    "open bracket": ("images: [{name: app\n", (2, 1), "is not valid YAML"),
    "alias of nothing behind": ("images:\n- name: app\n  newTag: *\n", (3, 12), "not valid YAML"),
    "line separator in a comment": (
        "images:\n- name: app # a\u2028b\n",
        (4, 1),
        "is not valid YAML",
    ),
    "comment in flow": (
        "images:\n- {name: app, # c\n   newTag: v1}\n",
        (2, 4),
        "a comment stands beside",
    ),
    "control character": ("images:\n- name: app # \x01\n", (2, 15), "U+0001 is not allowed"),
    "nul": ("images:\n- name: \x00app\n", (2, 9), "U+0000 is not allowed"),
}

OTHER = "v2@sha256:" + "a" * 64  # both fields change, so that every entry has something to do


@pytest.mark.parametrize(("content", "place", "says"), REFUSED.values(), ids=list(REFUSED))
def test_refused(content, place, says):
    """The refusal has path, line, column and reason."""
    with pytest.raises(ManifestError) as caught:
        edit_images(content.encode(), PATH, [parse_image(f"app:{OTHER}")])

    assert (PATH, *place) == (caught.value.path, caught.value.line, caught.value.column)
    assert says in caught.value.message


WITHOUT_HINT = ("is not valid YAML", "is not allowed", "is not a mapping")


@pytest.mark.parametrize(("content", "place", "says"), REFUSED.values(), ids=list(REFUSED))
def test_refused_with_a_way_out(content, place, says):
    """Whatever is YAML and refused comes with a hint."""
    with pytest.raises(ManifestError) as caught:
        edit_images(content.encode(), PATH, [parse_image(f"app:{OTHER}")])

    assert caught.value.hint or any(words in caught.value.message for words in WITHOUT_HINT)


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"images:\n- name: caf\xe9\n", 2, 12),
        ("images: []\n".encode("utf-16"), 1, 1),
    ],
    ids=["latin-1", "utf-16"],
)
def test_other_encodings(content, line, column):
    """A file that is not UTF-8 is refused at the first wrong byte."""
    with pytest.raises(ManifestError, match="is not UTF-8") as caught:
        edit_images(content, PATH, [parse_image("app:1")])

    assert (line, column) == (caught.value.line, caught.value.column)


NOT_ADDED = {
    "empty": ("", "is empty"),
    "comment only": ("# kustomization\n", "is empty"),
    "null": ("---\n---\nimages: []\n", "is empty"),
    "empty mapping": ("{}\n", "is empty"),
    "null list": ("images: ~\n", "images: is null"),
    "null list in json": ('{"images": null}', "images: is null"),
    "comment in an empty list": ("images: [ # c\n]\n", "a comment stands inside"),
    "comment beside the last entry": (
        "images: [\n  {name: a} # c\n]\n",
        "a comment stands beside",
    ),
    "comment beside the last key": ("{a: b # c\n}\n", "a comment stands beside"),
    "text without its last break": ("x: |\n  text", "cannot be edited safely"),
    "text that keeps its breaks": (
        "images:\n- name: a\n  newTag: |+\n    x\n\n\n",
        "cannot be edited safely",
    ),
}


@pytest.mark.parametrize(("content", "says"), NOT_ADDED.values(), ids=list(NOT_ADDED))
def test_not_added(content, says):
    """Where a new entry would touch something else, it is refused."""
    with pytest.raises(ManifestError) as caught:
        edit_images(content.encode(), PATH, [parse_image("new:v1")], add=True)

    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        "images:\n- name: app\n  ? digest\n  : x\n",
        "images:\n- ? digest\n  : x\n  name: app\n",
        "images:\n- ? name\n  : app\n",
    ],
)
def test_explicit_keys_keep_their_lines(content):
    """Keys behind a `?` may stand over several lines: none is put in or taken out beside them."""
    with pytest.raises(ManifestError, match=r"behind a `\?`"):
        edit_images(content.encode(), PATH, [parse_image("app:v2")])


def test_neighbours_do_not_matter():
    """An alias, a template or a merge key in another entry keeps nobody from editing this one."""
    content = (
        "images:\n- name: a\n  newTag: &t ${TAG}\n- name: b\n  newTag: *t\n"
        "- &c {name: c}\n- <<: *c\n  name: d\n- name: app\n  newTag: v1\n"
    )
    after = edit_images(content.encode(), PATH, [parse_image("app:v2")]).after

    assert content.replace("v1", "v2") == after.decode()
