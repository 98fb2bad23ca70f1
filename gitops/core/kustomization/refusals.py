"""What is read all the same but not edited: each refusal says where, why and the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitops.core.kustomization.read import Lists, SequenceItem, pairs_of
from gitops.core.yamltext import NULLS, AliasEvent, MappingStartEvent, ScalarEvent, is_no_string

_TEMPLATE = re.compile(r"\$\{|\$\(|\{\{|<%")
_OWN_API = "kustomize.config.k8s.io/"
_OWN_KINDS = ("Kustomization", "Component")
_STRING = "tag:yaml.org,2002:str"


def is_template(text: str) -> bool:
    """Say whether a text is filled in by something that runs before kustomize."""
    return _TEMPLATE.search(text) is not None


class Check:
    """The strict look at the lists of one file; finds what is shared once for all requests."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        events = lists.document.events
        self._aliases: dict[str, int] = {}
        if "*" in lists.document.text:
            for index, event in enumerate(events):
                if type(event) is AliasEvent:
                    self._aliases.setdefault(str(event.anchor), index)
        self._agreed: Mapping[int, str] = {}
        self._shared: dict[int, list[int]] = {}  # what an alias stands for -> those aliases

    @property
    def shares(self) -> bool:
        """Say whether anything in the file is shared by an anchor."""
        return bool(self._aliases)

    def agree(self, texts: Mapping[int, str]) -> None:
        """Be told what the texts at these events become: an anchor may be shared by equal ones."""
        self._agreed = texts
        for index, event in enumerate(self.lists.document.events if self.shares else ()):
            if type(event) is AliasEvent:
                self._shared.setdefault(self.lists.resolve(index), []).append(index)

    def is_alias(self, index: int) -> bool:
        """Say whether the node at `index` is an alias."""
        return type(self.lists.document.events[index]) is AliasEvent

    def _agrees(self, index: int) -> bool:
        """Say whether all that shares the text at `index` gets the same new text."""
        lists = self.lists
        home = lists.resolve(index)
        text = self._agreed.get(index)
        if text is None or type(lists.document.events[home]) is not ScalarEvent:
            return False
        return all(self._agreed.get(at) == text for at in (home, *self._shared.get(home, ())))

    def whole(self) -> None:
        """Refuse a file whose lists kustomize reads in another way than they look."""
        lists = self.lists
        events = lists.document.events
        version = events[0].version if events else None
        if version is not None and tuple(version) != (1, 1):
            raise lists.unsafe(
                0, "kustomize reads no document of this YAML version", "remove the %YAML line"
            )
        self.kind()
        seen: dict[str, int] = {}
        for found in lists.lists:
            first = seen.setdefault(found.name, found.pair.key)
            if first != found.pair.key:
                raise lists.unsafe(
                    found.pair.key,
                    f"{found.name}: stands here again, first on line {lists.line(first)}",
                    "kustomize takes one of them only: make one list of them",
                )
            if found.merged:
                raise lists.unsafe(
                    found.pair.key,
                    f"{found.name}: comes by a merge key (<<)",
                    f"give the file an own {found.name}: list",
                )
            self.alias(found.pair.value, found.name)
            self.anchor(found.pair.value, found.name)
        for item in lists.items:
            self._name(item)

    def kind(self) -> None:
        """Refuse a file that says it is something else: Flux calls its own object Kustomization."""
        lists = self.lists
        events = lists.document.events
        if len(events) < 2 or type(events[1]) is not MappingStartEvent:
            return
        for pair in pairs_of(lists, 1):
            key = lists.document.events[pair.key]
            name = key.value.lower() if type(key) is ScalarEvent else ""
            said = lists.text(pair.value) if name in ("apiversion", "kind") else None
            if said is None:
                continue
            fits = said.startswith(_OWN_API) if name == "apiversion" else said in _OWN_KINDS
            if not fits:
                raise lists.unsafe(
                    pair.value,
                    f"is no kustomization of kustomize: its {key.value} is {said}",
                    "name the folder that has one; a Flux Kustomization says it in spec.path",
                )

    def item(self, item: SequenceItem) -> None:
        """Refuse an entry that shares what it holds, or holds a key twice."""
        lists = self.lists
        if self._aliases:
            self.alias(item.start, f"the entry of {item.image}")
            self.anchor(item.start, f"the entry of {item.image}")
        for name, pair in item.repeated:
            first, second = sorted((pair.key, item.fields[name].key))
            raise lists.unsafe(
                second,
                f"{name} stands twice in the entry of {item.image}, first on line "
                f"{lists.line(first)}",
                "kustomize takes the last one: remove the other",
            )

    def field(self, item: SequenceItem, name: str) -> None:
        """Refuse to change a field whose value is not plainly the entry's own."""
        lists = self.lists
        pair = item.fields.get(name)
        if name in item.merged:
            where = "" if pair is None else f" on line {lists.line(pair.value)}"
            raise lists.unsafe(
                item.start,
                f"{name} of {item.image} comes by a merge key (<<){where}",
                f"write an own {name}: behind the merge key, and no other before it",
            )
        if pair is None:
            return
        self.anchor(pair.key, f"{name} of {item.image}")
        self.scalar(pair.value, f"{name} of {item.image}")

    def scalar(self, index: int, what: str) -> None:
        """Refuse to change a text that is not plainly one, or that others share."""
        lists = self.lists
        event = lists.document.events[lists.resolve(index) if self._agrees(index) else index]
        is_text = type(event) is ScalarEvent
        start = event.start_mark.index
        text = event.value if is_text else lists.document.text[start : start + 2]
        template = _TEMPLATE.search(text)
        if is_text and event.tag is None and not template and not self._aliases:
            return
        self.alias(index, what)
        self.anchor(index, what)
        if template:
            raise lists.unsafe(
                index,
                f"{what} is a template: {text}",
                "change it where it is filled in, or write a value in its place",
            )
        if not is_text:
            raise lists.unsafe(index, f"{what} is no text", "write one value")
        if event.tag is not None and event.tag != _STRING:
            raise lists.unsafe(index, f"{what} has the tag {event.tag}", "remove the tag")

    def alias(self, index: int, what: str) -> None:
        """Refuse an alias: the sharing was meant."""
        event = self.lists.document.events[index]
        if type(event) is AliasEvent and not self._agrees(index):
            raise self.lists.unsafe(
                index,
                f"{what} is shared: *{event.anchor} is what stands on line "
                f"{self.lists.line(self.lists.resolve(index))}",
                "write the value out here",
            )

    def anchor(self, index: int, what: str) -> None:
        """Refuse an anchor that is used: the other place would change too."""
        event = self.lists.document.events[index]
        used = self._aliases.get(getattr(event, "anchor", None) or "")
        if used is not None and type(event) is not AliasEvent and not self._agrees(index):
            raise self.lists.unsafe(
                index,
                f"{what} is shared: &{event.anchor} is used on line {self.lists.line(used)}, "
                "which would change too",
                "write the value out in one of the two places",
            )

    def misread(self, item: SequenceItem, name: str) -> bool:
        """Say whether kustomize takes the text that stands in `name` for a number or a bool."""
        pair = item.fields.get(name)
        if pair is None or name in item.merged:
            return False
        event = self.lists.document.events[pair.value]
        return (
            type(event) is ScalarEvent
            and not event.style
            and event.tag is None
            and event.value not in NULLS
            and is_no_string(event.value)
        )

    def _name(self, item: SequenceItem) -> None:
        lists = self.lists
        events = lists.document.events
        start = lists.resolve(item.start)
        if type(events[start]) is not MappingStartEvent:
            if lists.is_null(start):
                return  # a dash and nothing more: kustomize passes over it
            raise lists.unsafe(
                item.start,
                f"an entry of {item.list.name}: is no mapping",
                "write it as `- name: …`",
            )
        pair = item.fields.get("name")
        if pair is not None and item.image is None and type(events[pair.value]) is not ScalarEvent:
            self.alias(pair.value, "name")
            raise lists.unsafe(pair.value, "name is no text", "write one name")
        if item.image is not None and self.misread(item, "name"):
            raise lists.unsafe(
                item.fields["name"].value,
                f"kustomize does not take the name {item.image} for a text",
                f'write "{item.image}", in quotes',
            )
