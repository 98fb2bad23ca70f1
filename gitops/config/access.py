"""`access:` and `jobs:` of `gitops.yaml`: keys, rules, and what they become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from gitops.config.groups import written_out
from gitops.config.shapes import (
    Key,
    ListOf,
    Node,
    OneOf,
    Problems,
    Table,
    Text,
    Value,
    nearest,
    shown,
)
from gitops.core.environments.rows import ACTS, AccessRow, Act, JobRow

if TYPE_CHECKING:
    from gitops.core.environments.environment import Group

_WHO = (
    r"(?:user|group|job):(?! )[^\u0000-\u001f\u007f]{1,200}(?<! )"
    r"|registry:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?"
)
_APP = r"[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,254}"
_IMAGES = r"[A-Za-z0-9_*][A-Za-z0-9_.*/-]{0,254}"
_CLAIM = r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}"
_SAYS = r"[^\u0000-\u001f\u007f]{1,300}"


class TextsOf:
    """A mapping of texts, whose names are not known before; its Value has them as `texts`.

    Args:
        name: what a name may be.
        says: what a value may be.
        what: what messages call one: `claim`.
        example: of one, for messages.
        taken: names that may not stand there.
    """

    def __init__(
        self, name: str, says: Text, what: str, example: str, taken: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.says = says
        self.what = what
        self.example = example
        self.taken = taken

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the texts that are right; each of the others is a problem."""
        if node.id != "mapping":
            problems.add(problems.place(node), path, f"must be a mapping: {{{self.example}}}")
            return None
        keys = [child for child, _ in node.value]
        names = [str(one.value) for one in keys if one.id == "scalar"]
        return Table({name: Key(_NamedText(name, self), "") for name in names}).read(
            node, path, problems
        )

    def schema(self) -> dict[str, object]:
        """Return the shape of names and values."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name})$"},
            "additionalProperties": self.says.schema(),
            "minProperties": 1,
        }


class _NamedText:
    """One of them, if its name is one."""

    def __init__(self, name: str, of: TextsOf) -> None:
        self.name = name
        self.of = of

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        if re.fullmatch(self.of.name, self.name) is None:
            problems.add(problems.place(node), path, f"is no name of a {self.of.what}")
            return None
        if self.name in self.of.taken:
            problems.add(problems.place(node), path, "is looked at by the server itself")
            return None
        return self.of.says.read(node, path, problems)

    def schema(self) -> dict[str, object]:
        return self.of.says.schema()


def access_table(name: Text) -> Table:
    """Return the shape of a row of `access:`; `name` is that of an environment."""
    return Table(
        {
            "may": Key(
                ListOf(OneOf(*ACTS), least=1),
                "What they may do through the server; nothing else follows from it. override: "
                "pass the reasons that policy has against one of the others.",
                required=True,
            ),
            "environments": Key(ListOf(name, least=1), "Where, groups too.", required=True),
            "who": Key(
                ListOf(Text(_WHO, _explain_who), least=1),
                "user:NAME, group:NAME (as the sign-in service tells it), job:NAME (of `jobs`), "
                "compared exactly; registry:HOST for images that are pushed there (`on: push`).",
                required=True,
            ),
            "apps": Key(
                ListOf(Text(_APP, "is no app, with * or not"), least=1),
                "Only these apps, and not the environment as a whole; * stands for anything.",
            ),
            "images": Key(
                ListOf(Text(_IMAGES, _explain_images), least=1),
                "Only these images: * inside a path segment, ** across segments.",
            ),
        }
    )


def job_table() -> Table:
    """Return the shape of a row of `jobs:`."""
    return Table(
        {
            "name": Key(
                Text(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", _explain_job),
                "What `access` calls it: job:NAME.",
                required=True,
            ),
            "issuer": Key(
                Text(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", _explain_job),
                "Who its token is from: github, gitlab, kubernetes or another word of the server's "
                "settings; static: a fixed token whose hash is there.",
                required=True,
            ),
            "claims": Key(
                TextsOf(
                    _CLAIM,
                    Text(_SAYS, "is no value of a claim"),
                    "claim",
                    'repository_id: "74"',
                    frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"}),
                ),
                "What the token must say, all of it, compared exactly: the id of the project at "
                "the least.",
            ),
        }
    )


def check_access(
    rows: Sequence[Value], jobs: Sequence[Value], known: Sequence[str], problems: Problems
) -> None:
    """Every environment, group and job that is named is there; `known` are the first two."""
    names = [row.get("name") for row in jobs]
    for row in rows:
        problems.add_no_environment(row.list("environments"), known)
        for item in row.list("who"):
            kind, _, name = item.text.partition(":")
            if kind == "job" and name not in names:
                near = nearest(name, [word for word in names if word])
                problems.add(item.place, item.path, f"no job {shown(name)} in `jobs`{near}")
        _check_approvers(row, problems)


def check_jobs(rows: Sequence[Value], problems: Problems) -> None:
    """A job is one project's: what any project could say would let all the world in."""
    from gitops.core.access.jobs import explain_claims

    problems.add_repeated(rows, "name", "a job {}")
    for row in rows:
        path = f"{row.path}.claims"
        if "issuer" not in row.keys or problems.has_inside(path):
            continue
        claims = row.keys.get("claims")
        what = explain_claims(row.get("issuer"), dict(claims.texts) if claims else {})
        if what is not None:
            problems.add(claims.place if claims else row.place, path, what)


def make_access(
    rows: Sequence[Value], groups: Sequence[Group], order: Sequence[str]
) -> tuple[AccessRow, ...]:
    """Return the values of rows without problems, with groups written out in `order`."""
    made = []
    for row in rows:
        made.append(
            AccessRow(
                may=cast("tuple[Act, ...]", row.list_texts("may")),
                environments=written_out(row, groups, order),
                who=row.list_texts("who"),
                apps=row.list_texts("apps"),
                images=row.list_texts("images"),
                line=row.place[0],
            )
        )
    return tuple(made)


def make_jobs(rows: Sequence[Value]) -> tuple[JobRow, ...]:
    """Return the values of rows without problems."""
    return tuple(
        JobRow(
            name=row.get("name"),
            issuer=row.get("issuer"),
            claims=tuple(sorted(row.keys["claims"].texts.items())) if "claims" in row.keys else (),
            line=row.place[0],
        )
        for row in rows
    )


def _check_approvers(row: Value, problems: Problems) -> None:
    """A job is no person: what it agrees to, nobody looked at. A registry is not even a job."""
    may = row.list_texts("may")
    for item in row.list("who"):
        if item.text.startswith("job:") and "approve" in may:
            problems.add(item.place, item.path, "a job approves nothing: that is a person's word")
        if item.text.startswith("registry:") and may != ("deploy",):
            what = "a registry may `deploy` what is pushed there, and nothing else"
            problems.add(item.place, item.path, what)


def _explain_who(text: str) -> str:
    known = "user:ana@example.com, group:shop:oncall, job:shop-ci, registry:ghcr.io"
    return f"{shown(text)} is nobody: {known}"


def _explain_images(text: str) -> str:
    return f"{shown(text)} is no image as overlays name it, with * or not, and without a tag"


def _explain_job(text: str) -> str:
    return f"{shown(text)} must be lower-case letters, digits and inner dashes, at most 63"
