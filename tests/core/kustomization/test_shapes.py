"""File shapes that an edit must survive: only the value differs, every other byte stays."""

import re

import pytest

from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.image import ImageChange, ImageRequest, ImageValue, parse_image
from gitops.errors import ManifestError, NotFound, UsageError

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PATH = "overlays/dev/kustomization.yaml"


def edit(content, *images):
    """Edit `content` (text or bytes) as IMAGE arguments ask."""
    content = content if isinstance(content, bytes) else content.encode()
    return edit_images(content, PATH, [parse_image(image) for image in images])


# The marks hold what the edit takes out and what it puts in: `newTag: «v1¦v2»`.
SHAPES = {
    "plain": "images:\n- name: app\n  newTag: «v1¦v2»\n",
    "plain to hazard": 'images:\n- name: app\n  newTag: «v1¦"1.10"»\n',
    "double": 'images:\n- name: app\n  newTag: "«v1¦v2»"\n',
    "single": "images:\n- name: app\n  newTag: '«v1¦1.10»'\n",
    "crlf": "images:\r\n- name: app\r\n  newTag: «v1¦v2»\r\n",
    "mixed ends": "images:\r\n- name: app\n  newTag: «v1¦v2»\r\nresources:\n- a\r\n",
    "lone cr": "images:\r- name: app\r  newTag: «v1¦v2»\r",
    "bom": "\ufeffimages:\n- name: app\n  newTag: «v1¦v2»\n",
    "bom and crlf": "\ufeff# ü\r\nimages:\r\n- name: app\r\n  newTag: «v1¦v2»\r\n",
    "no final newline": "images:\n- name: app\n  newTag: «v1¦v2»",
    "tab before comment": "images:\n- name: app\n  newTag: «v1¦v2»\t# c\n",
    "tab after key": "images:\n- name:\tapp\n  newTag:\t«v1¦v2»\n",
    "blanks at the end": "images:   \n- name: app  \n  newTag: «v1¦v2»   \n   \n",
    "unicode": "# 漢字 ü 🚀\nimages:\n- name: app # 🚀🚀\n  newTag: «v1¦v2» # 🚀\n# \U0001f600\n",
    "start marker": "# licence\n---\nimages:\n- name: app\n  newTag: «v1¦v2»\n",
    "start and end": "---\nimages:\n- name: app\n  newTag: «v1¦v2»\n...\n",
    "behind the end": "images:\n- name: app\n  newTag: «v1¦v2»\n...\nimages: [broken\n",
    "two documents": "images:\n- name: app\n  newTag: «v1¦v2»\n---\nimages:\n- name: app\n"
    "  newTag: v1\n",
    "broken second": "images:\n- name: app\n  newTag: «v1¦v2»\n---\nimages: [{\n",
    "yaml 1.1": "%YAML 1.1\n---\nimages:\n- name: app\n  newTag: «v1¦v2»\n",
    "flow": "images: [{name: app, newTag: «v1¦v2»}, {name: b, newTag: v1}]\n",
    "flow quoted": "images: [{name: app, newTag: '«v1¦1.10»'}]\n",
    "flow to hazard": 'images: [{name: app, newTag: «v1¦"1.10"»}]\n',
    "flow entries": "images:\n- {name: b, newTag: v1}\n- {name: app, newTag: «v1¦v2»}\n",
    "flow tight": "images: [{name: app,newTag: «v1¦v2»}]\n",
    "flow over lines": "images: [\n  {name: app,\n   newTag: «v1¦v2»}, # c\n]\n",
    "json": '{"images": [{"name": "app", "newTag": "«v1¦1.10»"}]}\n',
    "json compact": '{"images":[{"name":"app","newTag":"«v1¦1.10»"}]}',
    "json null": '{"images":[{"name":"app","newTag":«null¦"2"»}]}',
    "json number": '{"images":[{"name":"app","newTag":«1¦"2"»}]}',
    "indented list": "images:\n  - name: app\n    newTag: «v1¦v2»\n",
    "deep list": "images:\n      -   name: app\n          newTag: «v1¦v2»\n",
    "dash alone": "images:\n-\n  name: app\n  newTag: «v1¦v2»\n",
    "indented root": "  images:\n  - name: app\n    newTag: «v1¦v2»\n",
    "value on the next line": "images:\n- name: app\n  newTag:\n    «v1¦v2»\n",
    "comment before value": "images:\n- name: app\n  newTag: # c\n    «v1¦v2»\n",
    "tag first": "images:\n- newTag: «v1¦v2»\n  name: app\n",
    "explicit key": "images:\n- name: app\n  ? newTag\n  : «v1¦v2»\n",
    "str tag": "images:\n- name: app\n  newTag: !!str «v1¦v2»\n",
    "str tag and number": 'images:\n- name: app\n  newTag: !!str «1.10¦"1.11"»\n',
    "long str tag": "images:\n- name: app\n  newTag: !<tag:yaml.org,2002:str> '«1¦2»'\n",
    "unused anchor": "images:\n- name: app\n  newTag: &t «v1¦v2»\n",
    "anchor and tag": "images:\n- name: app\n  newTag: &t !!str «v1¦v2»\n",
    "empty value": "images:\n- name: app\n  newTag:«¦ v2»\n",
    "empty value, comment": "images:\n- name: app\n  newTag:«¦ v2» # c\n",
    "empty value, anchor": "images:\n- name: app\n  newTag: &t«¦ v2»\n",
    "empty value, flow": "images: [{name: app, newTag: «¦v2»}]\n",
    "null value": "images:\n- name: app\n  newTag: «null¦v2»\n",
    "tilde": 'images:\n- name: app\n  newTag: «~¦"2"»\n',
    "empty text": 'images:\n- name: app\n  newTag: "«¦v2»"\n',
    "number": 'images:\n- name: app\n  newTag: «1.10¦"1.11"»\n',
    "escapes": 'images:\n- name: app\n  newTag: "«\\x76\\u0031¦v2»"\n',
    "folded": "images:\n- name: app\n  newTag: «>-\n    v1¦v2»\n\n# c\nresources: []\n",
    "literal": "images:\n- name: app\n  newTag: «|\n    v1¦v2»\nresources: []\n",
    "folded, odd": "images:\n- name: app\n  newTag: «>2-  \n     v1¦v2»\n  tagSuffix: ''\n",
    "quoted over lines": 'images:\n- name: app\n  newTag: "«v\\\n    1¦v2»"\n',
    "imageTags": "imageTags:\n- name: app\n  newTag: «v1¦v2»\n",
    "imageTags beside images": "images:\n- name: b\nimageTags:\n- name: app\n  newTag: «v1¦v2»\n",
    "keys in capitals": "IMAGES:\n- NAME: app\n  NEWTAG: «v1¦v2»\n",
    "key in quotes": '"images":\n- \'name\': app\n  "newTag": «v1¦v2»\n',
    "commented entry": "images:\n# - name: app\n#   newTag: v1\n- name: app\n  newTag: «v1¦v2»\n",
    "names alike": "images:\n- name: app\n  newTag: «v1¦v2»\n- name: app2\n  newTag: v1\n",
    "name of another list": "x:\n- name: app\n  newTag: v1\nimages:\n- name: app\n"
    "  newTag: «v1¦v2»\n",
    "text that looks like a list": "x: |\n  images:\n  - name: app\n    newTag: v1\nimages:\n"
    "- name: app\n  newTag: «v1¦v2»\n",
    "component": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n"
    "- name: app\n  newTag: «v1¦v2»\n",
    "other anchors": "x: &x [1]\ny: *x\nimages:\n- name: app\n  newTag: «v1¦v2»\n",
    "merge key before": "x: &x {newTag: v0}\nimages:\n- name: app\n  <<: *x\n  digest: ''\n"
    "  newName: «v1¦v2»\n",
    "alias as the name": "x: &x app\nimages:\n- name: *x\n  newTag: «v1¦v2»\n",
    "empty entry": "images:\n-\n- name: app\n  newTag: «v1¦v2»\n",
    "long line": f"images:\n- name: app\n  newName: {'r/' * 60}a\n  newTag: «v1¦v2»\n",
}


def split(shape):
    """Return the shape before and after, and the new text between the marks."""
    start, cut, stop = (shape.index(mark) for mark in "«¦»")
    before, behind = shape[:start], shape[stop + 1 :]
    new = shape[cut + 1 : stop]
    return before + shape[start + 1 : cut] + behind, before + new + behind, new


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_only_the_value_differs(shape):
    """One value is replaced in its quotes, wherever and however it stands."""
    before, after, new = split(shape)
    new = new.strip(" \"'")
    renamed = "newName: «" in shape
    request = ImageRequest("app", name=new) if renamed else ImageRequest("app", tag=new)
    result = edit_images(before.encode(), PATH, [request])

    assert after == result.after.decode()
    (change,) = result.changes
    assert new == (change.after.name if renamed else change.after.tag)
    again = edit_images(result.after, PATH, [request])
    assert (result.after, ()) == (again.after, again.changes)


BLOCK = "images:\n- name: app # n\n  newName: reg/app\n  newTag: v1\n  digest: " + A + "\n"

ROWS = [  # facts of kustomize, and our two differences: newName stays for app:2 and app@…
    ("app:v2", "images:\n- name: app # n\n  newName: reg/app\n  newTag: v2\n"),
    (f"app@{B}", f"images:\n- name: app # n\n  newName: reg/app\n  digest: {B}\n"),
    (f"app:v2@{B}", f"images:\n- name: app # n\n  newName: reg/app\n  newTag: v2\n  digest: {B}\n"),
    ("app=r2/app", "images:\n- name: app # n\n  newName: r2/app\n"),
    ("app=r2/app:v2", "images:\n- name: app # n\n  newName: r2/app\n  newTag: v2\n"),
    (f"app=r2/app@{B}", f"images:\n- name: app # n\n  newName: r2/app\n  digest: {B}\n"),
    ("app=*:v2", "images:\n- name: app # n\n  newName: reg/app\n  newTag: v2\n"),
    (f"app=*@{B}", f"images:\n- name: app # n\n  newName: reg/app\n  digest: {B}\n"),
    (
        f"app=*:*@{B}",
        f"images:\n- name: app # n\n  newName: reg/app\n  newTag: v1\n  digest: {B}\n",
    ),
    ("app=app:v2", "images:\n- name: app # n\n  newTag: v2\n"),
    ("app=app", "images:\n- name: app # n\n"),
]


@pytest.mark.parametrize(("image", "after"), ROWS, ids=[image[:20] for image, _ in ROWS])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("final", [True, False], ids=["", "no final newline"])
def test_rows(image, after, newline, final):
    """Each form of IMAGE does to an entry what its row says, with any line ends."""
    before = BLOCK.replace("\n", newline)
    after = after.replace("\n", newline)
    if not final:
        before, after = before.removesuffix(newline), after.removesuffix(newline)

    assert after == edit(before, image).after.decode()


LINES = {
    "digest first goes": (
        f"images:\n- digest: {A} # d\n  name: app\n",
        "app:2",
        'images:\n- name: app\n  newTag: "2"\n',
    ),
    "two keys before the name go": (
        "images:\n- digest: x\n  newName: y\n  name: app\n- name: b\n",
        "app=app:2",
        'images:\n- name: app\n  newTag: "2"\n- name: b\n',
    ),
    "a comment between stays": (
        "images:\n- digest: x\n  # about the name\n  name: app\n",
        "app:v2",
        "images:\n- # about the name\n  name: app\n  newTag: v2\n",
    ),
    "new line behind a comment, before the next": (
        "images:\n  - name: app # one\n    # two\n  # three\n  - name: b\n",
        "app:v2",
        "images:\n  - name: app # one\n    newTag: v2\n    # two\n  # three\n  - name: b\n",
    ),
    "new line takes the quotes of the entry": (
        "images:\n- name: app\n  newTag: 'v1'\n",
        f"app:v2@{A}",
        f"images:\n- name: app\n  digest: '{A}'\n  newTag: 'v2'\n",
    ),
    "new line takes the quotes of the keys": (
        'images:\n- "name": app\n',
        "app:v2",
        'images:\n- "name": app\n  "newTag": v2\n',
    ),
    "new line in a deep list": (
        "images:\n   -   name: app\n",
        "app:v2",
        "images:\n   -   name: app\n       newTag: v2\n",
    ),
    "new line with mixed ends": (
        "images:\n- name: app\r\n- name: b\n",
        "app:v2",
        "images:\n- name: app\r\n  newTag: v2\r\n- name: b\n",
    ),
    "new last line without newline": (
        "images:\r\n- name: app",
        "app:v2",
        "images:\r\n- name: app\r\n  newTag: v2",
    ),
    "value on its own line goes": (
        "images:\n- name: app\n  digest:\n    x\n  newTag: v1\n",
        "app:v2",
        "images:\n- name: app\n  newTag: v2\n",
    ),
    "folded digest goes": (
        "images:\n- name: app\n  digest: >-\n    x\n\n  newTag: v1\n",
        "app:v2",
        "images:\n- name: app\n\n  newTag: v2\n",
    ),
    "flow, one goes": (
        "images: [{name: app, digest: x, newTag: v1}]\n",
        "app:v2",
        "images: [{name: app, newTag: v2}]\n",
    ),
    "flow, last goes, new comes": (
        "images: [{ name: app, digest: x }]\n",
        "app:v2",
        "images: [{ name: app, newTag: v2 }]\n",
    ),
    "flow, first goes": (
        "images: [{digest: x, name: app, newTag: v1}]\n",
        "app:v2",
        "images: [{name: app, newTag: v2}]\n",
    ),
    "flow, all go": (
        "images: [{digest: x, newName: y, name: app, newTag: v1,}]\n",
        "app=app",
        "images: [{name: app,}]\n",
    ),
    "json compact": (
        '{"images":[{"digest":"x","name":"app"}]}',
        "app:2",
        '{"images":[{"name":"app","newTag":"2"}]}',
    ),
    "json over lines": (
        '{"images": [\r\n\t\t{\r\n\t\t\t"name": "app",\r\n\t\t\t"digest": "x"\r\n\t\t}]}',
        "app:v2",
        '{"images": [\r\n\t\t{\r\n\t\t\t"name": "app",\r\n\t\t\t"newTag": "v2"\r\n\t\t}]}',
    ),
}


@pytest.mark.parametrize(("before", "image", "after"), LINES.values(), ids=list(LINES))
def test_lines_that_come_and_go(before, image, after):
    """Fields are put in and taken out in the manner of the entry."""
    assert after == edit(before, image).after.decode()


EQUAL = [
    "images:\n- name: app\n  newTag: v1 # c\n",
    "images: [{name: 'app', newTag: \"v1\"}]",
    "images:\n- name: app\n  newTag: >-\n    v1\n  digest:\n",
    "x: &x v1\nimages:\n- name: app\n  newTag: *x\n",
    "x: &x {newTag: v1}\nimages:\n- <<: *x\n  name: app\n",
    "images:\n- name: app\n  newTag: &t v1\n- name: b\n  newTag: *t\n",
    'images:\n- name: app\n  newTag: v1\n  digest: ""\n',
    "x: &x {name: app, newTag: v1}\nimages:\n- *x\n",
    "images:\n- name: app\n  newTag: v0\n  newTag: v1\n",
]


@pytest.mark.parametrize("content", EQUAL)
def test_equal_value_is_no_change(content):
    """Not one byte differs when the entry has the values already, however it came by them."""
    result = edit(content, "app:v1")

    assert (content.encode(), (), ()) == (result.after, result.changes, result.warnings)


def test_date_stays_plain():
    """kustomize reads a date as a text: what is right is not touched."""
    content = "images:\n- name: app\n  newTag: 2024-01-02\n"

    assert content.encode() == edit(content, "app:2024-01-02").after


def test_equal_number_gets_quotes():
    """`newTag: 1.10` does not build: asking for 1.10 mends it and says so."""
    result = edit("images:\n- name: app\n  newTag: 1.10\n", "app:1.10")

    assert 'images:\n- name: app\n  newTag: "1.10"\n' == result.after.decode()
    assert 1 == len(result.changes)
    assert "without quotes" in result.warnings[0]


def test_no_request():
    """Nothing asked, nothing done, even to a file that could not be edited."""
    content = b"images:\n- name: app\n- name: app\n"

    assert content == edit(content).after


def test_same_request_twice():
    """Two identical requests are one; two different ones are a mistake of the caller."""
    content = "images:\n- name: app\n  newTag: v1\n"

    assert 1 == len(edit(content, "app:v2", "app=*:v2").changes)
    with pytest.raises(UsageError, match="app is asked for twice"):
        edit(content, "app:v2", "app:v3")


def test_many_requests():
    """Many entries of one file change in one go."""
    content = "images:\n" + "".join(f"- name: a{n}\n  newTag: v{n}\n" for n in range(300))
    result = edit(content, *(f"a{n}:w{n}" for n in range(0, 300, 2)))
    expected = {f"a{n}": ImageValue(None, f"{'w' if n % 2 == 0 else 'v'}{n}") for n in range(300)}

    assert expected == image_values(result.after, PATH)


def test_tag_suffix_is_a_warning():
    """kustomize adds a tagSuffix twice: whoever edits such an entry is told."""
    result = edit("images:\n- name: app\n  newTag: v1\n  tagSuffix: -x\n", "app:v2")

    assert "images:\n- name: app\n  newTag: v2\n  tagSuffix: -x\n" == result.after.decode()
    assert "tagSuffix" in result.warnings[0]
    assert result.warnings[0].startswith(f"{PATH}:2: ")


def test_comment_that_goes_is_a_warning():
    """A comment on a removed line is named; those around it stay."""
    content = f"images:\n- name: app\n  # above\n  digest: {A} # pinned by ana\n  # below\n"
    result = edit(content, "app:v2")

    assert "images:\n- name: app\n  newTag: v2\n  # above\n  # below\n" == result.after.decode()
    assert len(result.warnings) == 1
    assert "# pinned by ana" in result.warnings[0]


def test_missing_image():
    """The error lists the images that there are, and the nearest name."""
    with pytest.raises(NotFound) as caught:
        edit("images:\n- name: shop/api\n- name: shop/web\n", "shop/apy:1")

    assert "shop/api, shop/web" in caught.value.message
    assert caught.value.hint.startswith("did you mean shop/api?")


@pytest.mark.parametrize("of", [":latest", f"@{A}"])
@pytest.mark.parametrize("value", [":1.2", f"@{B}", f":1.2@{B}"])
def test_an_entry_for_one_tag_or_digest(of: str, value: str) -> None:
    """It is not what NAME:TAG means; the hint is what to type, and works as it stands."""
    content = f"images:\n- {{name: shop/wes, newTag: v0}}\n- {{name: 'shop/web{of}', newTag: v1}}\n"
    with pytest.raises(NotFound) as caught:
        edit(content, f"shop/web{value}")
    (typed,) = re.findall("write '([^']+)'", caught.value.hint)

    assert f"shop/web{of}=*{value}" == typed
    (change,) = edit(content, typed).changes
    assert change == ImageChange(
        f"shop/web{of}", ImageValue(tag="v1"), parse_image(f"x{value}").apply(ImageValue())
    )


def test_missing_image_in_an_empty_list():
    """With nothing there, the hint is to add an entry."""
    with pytest.raises(NotFound) as caught:
        edit("resources: []\n", "app:1")

    assert "--add" in caught.value.hint


def test_change_carries_both_values():
    """The change has the old and the new value, what was kept included."""
    before, after = ImageValue("reg/app", "v1", A), ImageValue("reg/app", "v2", None)

    assert (ImageChange("app", before, after),) == edit(BLOCK, "app:v2").changes


def test_equal_number_by_a_merge_key():
    """What is shared is not touched for the sake of quotes."""
    content = "x: &x {newTag: 1.10}\nimages:\n- <<: *x\n  name: app\n"

    assert content.encode() == edit(content, "app:1.10").after


TOGETHER = {  # entry, argument: the entry after it, and what it pins then
    "tag and digest in one field": (
        f"  newTag: v1@{A}\n",
        f"app:v2@{B}",
        f"  newTag: v2@{B}\n",
        ImageValue(None, "v2", B),
    ),
    "then a tag alone": (
        f"  newTag: v1@{A}\n",
        "app:v2",
        "  newTag: v2\n",
        ImageValue(None, "v2"),
    ),
    "then a digest alone": (
        f"  newTag: v1@{A}\n",
        f"app@{B}",
        f"  digest: {B}\n",
        ImageValue(None, None, B),
    ),
    "the same is unchanged": (
        f"  newTag: v1@{A}\n",
        f"app:v1@{A}",
        f"  newTag: v1@{A}\n",
        ImageValue(None, "v1", A),
    ),
    "a new name beside it": (
        f"  newName: reg/app\n  newTag: v1@{A}\n",
        f"app=r2/app:v2@{B}",
        f"  newName: r2/app\n  newTag: v2@{B}\n",
        ImageValue("r2/app", "v2", B),
    ),
    "name and tag in one field": (
        "  newName: reg:5000/app:v1\n",
        "app:v2",
        "  newName: reg:5000/app:v2\n",
        ImageValue("reg:5000/app", "v2"),
    ),
    "its own name renames nothing": (
        "  newName: app\n  newTag: v1\n",
        "app:v2",
        "  newName: app\n  newTag: v2\n",
        ImageValue(None, "v2"),
    ),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_what_stands_together_stays_together(name: str) -> None:
    """Values that share a field are read apart, as kustomize renders them, and written as found."""
    before, argument, after, value = TOGETHER[name]
    head = "images:\n- name: app\n"

    assert head + after == edit(head + before, argument).after.decode()
    assert {"app": value} == image_values((head + after).encode(), PATH)


def test_a_name_with_a_tag_takes_no_second_one() -> None:
    """`newName: repo:1` beside `newTag:` is refused: kustomize would render both."""
    content = "images:\n- name: app\n  newName: reg/app:v1\n  newTag: v1\n"
    with pytest.raises(ManifestError, match="holds a tag itself"):
        edit(content, "app:v2")

    assert "newName: reg/app\n  newTag: v2" in edit(content, "app=reg/app:v2").after.decode()


def test_an_entry_for_one_tag() -> None:
    """`alpine:latest=*:2` addresses the entry of that name; the hint for its plain name says so."""
    content = "images:\n- name: alpine:latest\n  newTag: v1\n"
    with pytest.raises(NotFound) as caught:
        edit(content, "alpine:v2")

    assert "'alpine:latest=*:v2'" in (caught.value.hint or "")
    assert content.replace("v1", "v2") == edit(content, "alpine:latest=*:v2").after.decode()
