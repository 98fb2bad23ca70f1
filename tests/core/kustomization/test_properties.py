"""Any kustomization, any wish: right for two YAML readers, other bytes equal, repeatable."""

import io
import random
import re
from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.core.yamltext import needs_quotes, plain_or_quoted

A, B = "sha256:" + "a" * 64, "sha256:" + "0" * 64
NAMES = ["app", "shop/api", "reg:5000/x", "a.b", "${APP}", "1x"]
NUMBERS = """10 007 08 09 1_000 1_ 20240102 2024_01_02 1.10 1. 1.0 0.10 1_0.5 1e3 553640e6
0e12345 1.5e3 0x1F 0X1f 0o17 0b11 0B11 0x_1 1e400 0 00 1234567 12e4567"""
WORDS = """true True TRUE yes no on off y Y n N null Null NULL 2024-01-02 v1 1.2.3 1-alpine tRUE
nUll 2024-1-2 _1 12e _ __ e1 0x 0b 0o"""
TAGS = re.split(r"\s+", f"{NUMBERS} {WORDS}")
FIELDS = {"newName": "name", "newTag": "tag", "digest": "digest"}


@dataclass(frozen=True)
class File:
    """A generated kustomization and what it pins."""

    content: bytes
    values: dict[str, ImageValue]


def styled(draw, text, json=False):
    """Write a value in one of the styles that read as that text."""
    quoted = [f'"{text}"', f"'{text}'"]
    return quoted[0] if json else draw(st.sampled_from([plain_or_quoted(text), *quoted]))


tags = st.sampled_from(TAGS) | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True)
values = st.builds(
    ImageValue,
    st.none() | st.sampled_from(["reg/app", "reg:5000/team/app"]),
    st.none() | tags,
    st.none() | st.sampled_from([A, B]),
)


@st.composite
def files(draw):
    """Draw a kustomization of mixed style."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    kind = draw(st.sampled_from(["block", "flow", "mixed", "json"]))
    pinned = {
        name: draw(values)
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    }
    indent = draw(st.sampled_from(["", "  ", "    "]))
    lines, items = [], []
    for name, value in pinned.items():
        fields = [("name", name)] + [
            (field, getattr(value, attribute))
            for field, attribute in FIELDS.items()
            if getattr(value, attribute) is not None
        ]
        fields = draw(st.permutations(fields))
        if kind == "json":
            items.append("{" + ", ".join(f'"{key}": "{text}"' for key, text in fields) + "}")
            continue
        pairs = [f"{key}: {styled(draw, text)}" for key, text in fields]
        flow = kind == "flow" or (kind == "mixed" and draw(st.booleans()))
        if flow:
            items.append("{" + ", ".join(pairs) + "}")
            lines.append(f"{indent}- {items[-1]}")
        else:
            for number, pair in enumerate(pairs):
                comment = draw(st.sampled_from(["", "  # ü 🚀", "\t# c"]))
                lines.append(f"{indent}{'  ' if number else '- '}{pair}{comment}")
        lines += draw(st.sampled_from([[], [""], [f"{indent}# - name: app"], ["# newTag: v1"]]))
    if kind == "json":
        text = '{"resources": ["../base"], "images": [' + ", ".join(items) + "]}"
    else:
        head = draw(st.sampled_from([[], ["---"], ["# licence", "---"], ["resources: [a]"]]))
        listed = [f"images: [{', '.join(items)}]"] if kind == "flow" else ["images:", *lines]
        tail = draw(st.sampled_from([[], ["namespace: x"], ["# end"], ["---", "images: [x"]]))
        text = newline.join([*head, *listed, *tail])
    text += draw(st.sampled_from(["", newline]))
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return File(bom + text.encode(), pinned)


@st.composite
def wishes(draw):
    """Draw a file and what some of its images shall be."""
    file = draw(files())
    names = draw(st.lists(st.sampled_from(list(file.values)), min_size=1, unique=True))
    return file, {name: draw(values) for name in names}


def model(text, load):
    """Return name -> fields as another reader sees them; every value must be a string."""
    images = load(text)["images"]
    for entry in images:
        assert all(type(value) is str or isinstance(value, str) for value in entry.values())
    return {entry["name"]: {k: str(v) for k, v in entry.items() if k != "name"} for entry in images}


def by_pyyaml(content):
    """Read the first document with PyYAML (YAML 1.1)."""
    return next(iter(yaml.load_all(content.decode("utf-8-sig"), yaml.CSafeLoader)))


def by_ruamel(content):
    """Read the first document with ruamel.yaml (YAML 1.2), whose parser takes no tab as a blank."""
    text = content.decode("utf-8-sig").replace("\t", " ")
    return next(iter(YAML(typ="safe", pure=True).load_all(io.StringIO(text))))


def fields(expected):
    """Return the fields that a value must be read as."""
    pairs = [(field, getattr(expected, name)) for field, name in FIELDS.items()]
    return {field: text for field, text in pairs if text is not None}


def put(content, wanted):
    """Edit so that each image has just the value wanted."""
    requests = [ImageRequest.exactly(name, value) for name, value in wanted.items()]
    return edit_images(content, "k.yaml", requests)


@settings(max_examples=200, deadline=None)
@given(wishes())
def test_readers_agree(case):
    """After any edit, gitops, PyYAML and ruamel read just the wanted values, all of them text."""
    file, wanted = case
    after = put(file.content, wanted).after
    expected = {**file.values, **wanted}

    assert expected == image_values(after, "k.yaml")
    shown = {name: fields(value) for name, value in expected.items()}
    assert shown == model(after, by_pyyaml)
    assert shown == model(after, by_ruamel)


@settings(max_examples=200, deadline=None)
@given(wishes())
def test_other_lines_are_equal(case):
    """The lines of the file, less those of the entries asked for, are the same bytes in order."""
    file, wanted = case
    result = put(file.content, wanted)
    changed = {change.image for change in result.changes}

    assert changed == {name for name, value in wanted.items() if value != file.values[name]}
    if not changed:
        assert file.content == result.after
    removed, added = difference(file.content, result.after)
    for line in removed + added:
        words = [b"newName", b"newTag", b"digest", b"name:", b'"name"']
        assert any(word in line for word in words), line


def difference(before, after):
    """Return the lines that only one side has, by the longest common head and tail of lines."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    kept, rest = [], list(new)
    for line in old:
        if line in rest:
            kept.append(line)
            rest.remove(line)
    gone = list(old)
    for line in kept:
        gone.remove(line)
    return gone, rest


@settings(max_examples=100, deadline=None)
@given(wishes())
def test_twice_is_once(case):
    """A second run finds nothing to do."""
    file, wanted = case
    once = put(file.content, wanted)
    twice = put(once.after, wanted)

    assert (once.after, ()) == (twice.after, twice.changes)


@settings(max_examples=100, deadline=None)
@given(wishes(), st.randoms(use_true_random=False))
def test_there_and_back(case, dice):
    """Changing values of fields that stay, and changing them back, gives the first bytes."""
    file, _ = case
    there, back = {}, {}
    for name, value in file.values.items():
        # From one text that is safe to another one no quotes come or go.
        if value.tag is not None and not needs_quotes(value.tag):
            there[name] = ImageValue(value.name, f"w{dice.randint(0, 9)}", value.digest)
            back[name] = value
    first = put(file.content, there)

    assert file.content == put(first.after, back).after


@settings(max_examples=100, deadline=None)
@given(files(), values.filter(lambda value: value != ImageValue()))
def test_add_to_any_file(file, value):
    """A new entry can be put into any of them, and is read back."""
    request = ImageRequest.exactly("brand/new", value)
    after = edit_images(file.content, "k.yaml", [request], add=True).after
    expected = {**file.values, "brand/new": value}

    assert expected == image_values(after, "k.yaml")
    assert {name: fields(one) for name, one in expected.items()} == model(after, by_pyyaml)
    assert {name: fields(one) for name, one in expected.items()} == model(after, by_ruamel)


@pytest.mark.parametrize("tag", TAGS)
def test_hazards_are_text_for_all(tag):
    """Every hazard, written where nothing tells the style, is that string for both readers."""
    content = b"images:\n- name: app\n"
    after = put(content, {"app": ImageValue(None, tag)}).after

    assert {"app": {"newTag": tag}} == model(after, by_pyyaml)
    assert {"app": {"newTag": tag}} == model(after, by_ruamel)


SAFE = ["v1", "1.2.3", "1-alpine", "2024.1.2", "12ab", "a1b2c3d", "1.4.2-rc.1"]


@pytest.mark.parametrize("tag", SAFE)
def test_safe_tags_stay_plain(tag):
    """Quotes are put only where some reader needs them."""
    assert tag == plain_or_quoted(tag)


def test_predicate_against_both_readers():
    """No legal tag that PyYAML or ruamel takes for something else is written plain."""
    dice = random.Random(7)
    alphabet = "0123456789._-eExXobnNyYaAtrufls"
    wrong = []
    for _ in range(20_000):
        tag = dice.choice("0123456789_neyfto") + "".join(
            dice.choice(alphabet) for _ in range(dice.randint(0, 6))
        )
        if plain_or_quoted(tag) == tag and yaml.load(tag, yaml.CSafeLoader) != tag:
            wrong.append(tag)
    assert not wrong
