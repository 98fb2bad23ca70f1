"""`gitops.yaml`: what is read, what is refused and where, and the schema that says the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.adapters.local.folder import sample_files
from gitops.config import config_schema, load_config
from gitops.config.keys import ROOT
from gitops.config.server import _EVENTS
from gitops.config.shapes import Key, ListOf, OneOf, Problems, Table, Text, Value, shown
from gitops.core.environments.cron import parse_cron
from gitops.core.environments.environment import Approvals, Config, Environment
from gitops.core.environments.freeze import Freeze, Recurrence, Stretch
from gitops.core.environments.rows import EventKind
from gitops.core.yamltext import compose_first
from gitops.errors import ConfigError

HEAD = "apiVersion: gitops/v1\nkind: Config\n"
CHECKER = jsonschema.Draft202012Validator(config_schema())


def problems_of(text: str | bytes) -> list[str]:
    """Return the reasons that `text` is refused for, without the name of the file."""
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert caught.value.exit_code == 2
    return [reason.removeprefix("gitops.yaml:") for reason in caught.value.reasons]


def row(keys: str) -> str:
    """Return a config whose only environment, dev on line 5, has these further keys."""
    return f"{HEAD}branch: main\nenvironments:\n  - {{name: dev, overlay: overlays/dev, {keys}}}\n"


def two_rows(one: str, two: str) -> str:
    """Return a config with the environments a (line 4) and b (line 5) on these overlays."""
    rows = (f'- {{name: {name}, overlay: "{path}"}}\n' for name, path in (("a", one), ("b", two)))
    return f"{HEAD}environments:\n{''.join(rows)}"


def test_reads_every_key():
    """Every key becomes the value that the rest of the house works with."""
    text = (
        HEAD
        + """\
branch: release-line
environments:
  - name: local
    overlay: ./overlays/local/
    accepts: ["feature/**", "fix/*"]
    change: work-tree
    database: dummy
  - {name: dev, overlay: overlays/dev, accepts: [main], deploy: auto}
  - name: prod
    overlay: overlays/prod
    accepts: ["release/{version}"]
    change: pull-request
    rollback: pull-request
    after: [dev, local]
    database: real
    branch: production
"""
    )
    expected = Config(
        branch="release-line",
        environments=(
            Environment(
                name="local",
                overlay="overlays/local",
                accepts=("feature/**", "fix/*"),
                change="work-tree",
                database="dummy",
                line=5,
            ),
            Environment("dev", "overlays/dev", accepts=("main",), deploy="auto", line=10),
            Environment(
                name="prod",
                overlay="overlays/prod",
                accepts=("release/{version}",),
                change="pull-request",
                rollback="pull-request",
                after=("dev", "local"),
                database="real",
                branch="production",
                line=11,
            ),
        ),
    )

    assert expected == load_config(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + row("accepts: []"), id="byte order mark"),
        pytest.param(row("accepts: [main]").replace("\n", "\r\n"), id="CRLF"),
        pytest.param("---\n" + row("deploy: manual") + "...\n", id="markers"),
        pytest.param(row("deploy: manual") + "# --- no document\n", id="comment at the end"),
        pytest.param(
            json.dumps(
                {
                    "apiVersion": "gitops/v1",
                    "kind": "Config",
                    "environments": [{"name": "dev", "overlay": "overlays/dev"}],
                }
            ),
            id="JSON",
        ),
    ],
)
def test_reads_every_shape_of_file(text):
    """How the file is written down makes no difference."""
    assert load_config(text.encode()).environments[0].overlay == "overlays/dev"


def test_layout_with_apps():
    """`{app}` is kept: the overlays of the apps are found in the repository."""
    text = HEAD + 'environments: [{name: dev, overlay: "apps/{app}/overlays/dev/"}]'

    assert load_config(text.encode()).environments[0].overlay == "apps/{app}/overlays/dev"


def test_reads_what_promotion_asks():
    """Verdicts, soak, approvals and freezes become the values that the rules work with."""
    text = (
        HEAD
        + """\
environments:
  - {name: stage, overlay: overlays/stage}
  - name: prod
    overlay: overlays/prod
    after: [stage]
    requires: [qa-passed, stable]
    soak: 24h
    approvals: {required: 2, self: true}
freeze:
  - name: year end
    environments: [prod]
    from: "2026-12-20"
    to: "2027-01-03T12:00"
    timezone: Asia/Seoul
    reason: holidays
  - {name: nights, cron: "0 18 * * 1-5", duration: 14h, reason: nobody awake}
"""
    )
    loaded = load_config(text.encode())

    assert loaded.environments == (
        Environment("stage", "overlays/stage", line=4),
        Environment(
            name="prod",
            overlay="overlays/prod",
            after=("stage",),
            requires=("qa-passed", "stable"),
            soak=timedelta(hours=24),
            approvals=Approvals(required=2, self=True),
            line=5,
        ),
    )
    assert loaded.freezes == (
        Freeze(
            name="year end",
            reason="holidays",
            window=Stretch(date(2026, 12, 20), datetime(2027, 1, 3, 12)),  # noqa: DTZ001
            environments=("prod",),
            timezone="Asia/Seoul",
        ),
        Freeze(
            "nights", "nobody awake", Recurrence(parse_cron("0 18 * * 1-5"), timedelta(hours=14))
        ),
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("10m", 600), ("24h", 86400), ("7d", 604800)]
)
def test_durations(text, seconds):
    """Every unit that the commands know can be written in the file, too."""
    rows = f'- {{name: a, overlay: a}}\n- {{name: b, overlay: b, after: [a], soak: "{text}"}}\n'
    loaded = load_config(f"{HEAD}environments:\n{rows}".encode())

    assert timedelta(seconds=seconds) == loaded.environments[1].soak


PROMOTION_ROWS = [
    (
        "requires: [passed]",
        "5:51: environments[0].requires[0]: must be qa-passed or stable, not 'passed'; "
        "did you mean qa-passed?",
    ),
    (
        "requires: [stable]",
        "5:50: environments[0].requires: looks at the environments before dev: "
        "name them with `after`",
    ),
    (
        "soak: 24h",
        "5:46: environments[0].soak: looks at the environments before dev: name them with `after`",
    ),
    ("soak: soon", "5:46: environments[0].soak: 'soon' is no duration: 90s, 10m, 24h or 7d"),
    ("soak: 0h", "5:46: environments[0].soak: '0h' is no duration: 90s, 10m, 24h or 7d"),
    ("soak: 90", '5:46: environments[0].soak: must be text, not a number: put it in quotes, "90"'),
    (
        "approvals: {required: 0}",
        "5:62: environments[0].approvals.required: must be a number from 1 to 20, not 0",
    ),
    (
        "approvals: {required: two}",
        "5:62: environments[0].approvals.required: must be a number from 1 to 20, not 'two'",
    ),
    (
        "approvals: {required: 012}",
        "5:62: environments[0].approvals.required: must be a number from 1 to 20, not 012",
    ),
    (
        'approvals: {self: "yes"}',
        "5:58: environments[0].approvals.self: must be true or false, not 'yes'",
    ),
    (
        "approvals: 2",
        "5:51: environments[0].approvals: must be a mapping with the keys required, self, "
        "not a number",
    ),
]


@pytest.mark.parametrize(
    ("keys", "expected"), PROMOTION_ROWS, ids=[row[0] for row in PROMOTION_ROWS]
)
def test_wrong_promotion_rules(keys, expected):
    """A rule of promotion that means nothing is named at the place where it stands."""
    assert [expected] == problems_of(row(keys))


DATES = 'from: "2026-12-20", to: "2026-12-21"'

FREEZES = [
    (
        "name: x, reason: y",
        "4:5: freeze[0]: needs a time: either `from` and `to`, or `cron` and `duration`",
    ),
    (
        f'name: x, reason: y, {DATES}, cron: "* * * * *"',
        "4:5: freeze[0]: needs a time: either `from` and `to`, or `cron` and `duration`",
    ),
    ('name: x, reason: y, from: "2026-12-20"', "4:5: freeze[0].to: is missing"),
    ('name: x, reason: y, cron: "0 18 * * *"', "4:5: freeze[0].duration: is missing"),
    (f"name: x, {DATES}", "4:5: freeze[0].reason: is missing"),
    (
        f"name: x, reason: y, environments: [prd], {DATES}",
        "4:41: freeze[0].environments[0]: no environment 'prd'; did you mean prod?",
    ),
    (
        f"name: x, reason: y, environments: [], {DATES}",
        "4:40: freeze[0].environments: the list is empty: it needs one at least",
    ),
    (
        'name: x, reason: y, from: 2026-12-20, to: "2026-12-21"',
        '4:32: freeze[0].from: must be text, not a date: put it in quotes, "2026-12-20"',
    ),
    (
        'name: x, reason: y, from: "20.12.2026", to: "2026-12-21"',
        "4:32: freeze[0].from: '20.12.2026' is neither a date nor a time: "
        "2026-12-20, or 2026-12-20T18:00",
    ),
    (
        'name: x, reason: y, from: "2026-02-30", to: "2026-12-21"',
        "4:32: freeze[0].from: '2026-02-30' is neither a date nor a time",
    ),
    (
        'name: x, reason: y, from: "2026-12-20", to: "2026-12-19"',
        "4:50: freeze[0].to: a freeze ends before it starts",
    ),
    (
        f"name: x, reason: y, timezone: Asia/Soul, {DATES}",
        "4:36: freeze[0].timezone: the time zone 'Asia/Soul' is not known here",
    ),
    (
        'name: x, reason: y, cron: "0 25 * * *", duration: 1h',
        "4:32: freeze[0].cron: cron field hour, '25': 25 is not in 0-23",
    ),
    (
        'name: x, reason: y, cron: "@daily", duration: 1h',
        "4:32: freeze[0].cron: '@daily' is no cron: five fields, minute hour day month weekday, "
        'as in "0 18 * * 1-5"',
    ),
    (
        'name: x, reason: " ", cron: "0 1 * * *", duration: 1h',
        "4:23: freeze[0].reason: ' ' must be some words on one line, at most 200 characters",
    ),
]


@pytest.mark.parametrize(("keys", "expected"), FREEZES, ids=[keys for keys, _ in FREEZES])
def test_wrong_freeze(keys, expected):
    """A window that would never close, or not when it should, is an error with its place."""
    rows = "environments: [{name: prod, overlay: overlays/prod}]\n"

    assert [expected] == problems_of(
        f"apiVersion: gitops/v1\nkind: Config\nfreeze:\n  - {{{keys}}}\n{rows}"
    )


def test_freezes_have_names_of_their_own():
    """Messages name the window: each name is there once."""
    rows = f"- {{name: x, reason: y, {DATES}}}\n" * 2
    text = f"{HEAD}freeze:\n{rows}environments: [{{name: prod, overlay: overlays/prod}}]\n"

    assert ["5:10: freeze[1].name: there is a freeze x already, on line 4"] == problems_of(text)


LATER = [
    "pullRequest: {draft: true}",
]


@pytest.mark.parametrize("keys", LATER)
def test_a_key_that_cannot_be_honoured_is_refused(keys):
    """A rule that this version does not know must not be passed over in silence."""
    name = keys.partition(":")[0]
    (problem,) = problems_of(row(keys))

    assert problem.startswith(f"5:40: environments[0].{name}: unknown key; ")


KNOWN = (
    "name, overlay, accepts, deploy, change, rollback, after, follow, followBelow, "
    "onAlert, confirm, formerly, registry, pin, platforms, provenance, builds, "
    "database, dataProtection, "
    "requires, soak, wait, approvals, branch"
)
TOP = (
    "apiVersion, kind, branch, environments, groups, ignore, images, registries, provenance, "
    "cleanup, forge, freeze, clusters, access, jobs, alerts, notify, databases, "
    "signers, repository, message, pullRequest, branches"
)

ONE_ROW = [
    ("acepts: [main]", "5:40: environments[0].acepts: unknown key; did you mean accepts?"),
    ("zzz: 1", f"5:40: environments[0].zzz: unknown key; the keys are {KNOWN}"),
    ('"a\\nb": 1', f"5:40: environments[0].'a\\nb': unknown key; the keys are {KNOWN}"),
    ("[a]: 1", "5:40: environments[0]: a key must be a word"),
    ("<<: {}", "5:40: environments[0]: merge keys (<<) are not read here: write the keys out"),
    ("name: x", "5:40: environments[0].name: stands here twice: first on line 5"),
    ("accepts: main", "5:49: environments[0].accepts: must be a list, not 'main': write ['main']"),
    ("accepts: 1", "5:49: environments[0].accepts: must be a list, not a number"),
    ("accepts: ", "5:49: environments[0].accepts: must be a list, not nothing"),
    ("accepts: {a: b}", "5:49: environments[0].accepts: must be a list, not a mapping"),
    (
        "accepts: [1.0]",
        '5:50: environments[0].accepts[0]: must be text, not a number: put it in quotes, "1.0"',
    ),
    ("accepts: [~]", "5:50: environments[0].accepts[0]: has no value"),
    ("accepts: [[a]]", "5:50: environments[0].accepts[0]: must be text, not a list"),
    ("accepts: [!x a]", "5:50: environments[0].accepts[0]: must be text, not a value tagged '!x'"),
    ("accepts: [a, b, a]", "5:56: environments[0].accepts[2]: 'a' stands in the list twice"),
    (
        'accepts: ["v{version}"]',
        "5:50: environments[0].accepts[0]: "
        "{version} must be a whole part between slashes, not 'v{version}'",
    ),
    (
        'accepts: ["{version}/{version}"]',
        "5:50: environments[0].accepts[0]: {version} stands twice in '{version}/{version}'",
    ),
    (
        'accepts: ["fix/{id}"]',
        "5:50: environments[0].accepts[0]: "
        "unknown '{id}' in 'fix/{id}': only {version} has a meaning",
    ),
    (
        'accepts: ["fix/{version"]',
        "5:50: environments[0].accepts[0]: "
        "unknown '{version' in 'fix/{version': only {version} has a meaning",
    ),
    (
        'accepts: ["v[0-9]"]',
        "5:50: environments[0].accepts[0]: "
        "'v[0-9]': the wildcards are *, ** and {version}; ? and [ ] are not",
    ),
    (
        'accepts: ["a/***"]',
        "5:50: environments[0].accepts[0]: "
        "'a/***': the wildcards are *, ** and {version}; *** is not",
    ),
    (
        "accepts: [refs/heads/main]",
        "5:50: environments[0].accepts[0]: write the short name, 'main'",
    ),
    ('accepts: ["a b"]', "5:50: environments[0].accepts[0]: 'a b' matches no branch"),
    ('accepts: [""]', "5:50: environments[0].accepts[0]: '' matches no branch"),
    ("accepts: [/main]", "5:50: environments[0].accepts[0]: '/main' matches no branch"),
    (
        "deploy: automatic",
        "5:48: environments[0].deploy: must be manual or auto, not 'automatic'; did you mean auto?",
    ),
    ("deploy: on", "5:48: environments[0].deploy: must be manual or auto, not a yes/no value"),
    ("deploy: [auto]", "5:48: environments[0].deploy: must be manual or auto, not a list"),
    (
        "change: merge",
        "5:48: environments[0].change: must be commit, pull-request or work-tree, not 'merge'",
    ),
    ("database: ", "5:50: environments[0].database: must be dummy or real, not nothing"),
    ("after: [dev]", "5:48: environments[0].after[0]: dev cannot come after itself"),
    ("after: [stage]", "5:48: environments[0].after[0]: no environment 'stage'"),
    (
        "change: work-tree, deploy: auto",
        "5:67: environments[0].deploy: cannot be auto: "
        "only a person edits a checkout (change: work-tree)",
    ),
    (
        "change: work-tree, rollback: pull-request",
        "5:69: environments[0].rollback: cannot be pull-request: "
        "nothing is committed there (change: work-tree)",
    ),
    (
        "change: work-tree, branch: production",
        "5:67: environments[0].branch: means nothing here: a checkout is edited, no branch is "
        "(change: work-tree)",
    ),
    (
        "branch: refs/heads/production",
        "5:48: environments[0].branch: write the short name, 'production'",
    ),
    (
        "branch: gitops/prod",
        "5:48: environments[0].branch: 'gitops/prod' is taken: proposals and the ledger live on "
        "branches gitops/…",
    ),
]


@pytest.mark.parametrize(("keys", "expected"), ONE_ROW, ids=[keys for keys, _ in ONE_ROW])
def test_wrong_row(keys, expected):
    """Each mistake in an environment is named at the place where it stands."""
    assert [expected] == problems_of(row(keys))


BRANCHES = [
    ("refs/heads/main", "write the short name, 'main'"),
    ("gitops/dev", "'gitops/dev' is taken: proposals and the ledger live on branches gitops/…"),
    ("gitops", "'gitops' is taken: proposals and the ledger live on branches gitops/…"),
    ("a..b", "'a..b' is not the name of a branch"),
    ("a b", "'a b' is not the name of a branch"),
    ("-x", "'-x' is not the name of a branch"),
    ("x.lock", "'x.lock' is not the name of a branch"),
    ("a//b", "'a//b' is not the name of a branch"),
    ("a/", "'a/' is not the name of a branch"),
    ("HEAD", "'HEAD' is not the name of a branch"),
]


@pytest.mark.parametrize(("name", "expected"), BRANCHES, ids=[name for name, _ in BRANCHES])
def test_wrong_branch(name, expected):
    """The branch must be one that Git can have, and none that gitops uses itself."""
    text = row("").replace("branch: main", f'branch: "{name}"')

    assert [f"3:9: branch: {expected}"] == problems_of(text)


@pytest.mark.parametrize("name", ["main", "gitops-live", "env/prod", "v1.2", "메인"])
def test_right_branch(name):
    """Every other branch will do."""
    assert name == load_config(row("").replace(": main", f": {name}").encode()).branch


NAMES = ["Dev", "dev_1", "-dev", "dev-", "a.b", "", "d" * 64, "dev env", "dév"]


@pytest.mark.parametrize("name", NAMES)
def test_wrong_name(name):
    """An environment's name is part of branches, files and trailers: letters, digits, dashes."""
    text = row("").replace("name: dev", f'name: "{name}"')
    rest = "must be lower-case letters, digits and inner dashes, at most 63"

    assert [f"5:12: environments[0].name: {shown(name)} {rest}"] == problems_of(text)


def test_ledger_is_taken():
    """The ledger's branch is gitops/ledger: no environment may have that name."""
    expected = (
        "5:12: environments[0].name: "
        "'ledger' is taken: gitops keeps its ledger on the branch gitops/ledger"
    )

    assert [expected] == problems_of(row("").replace("name: dev", "name: ledger"))


PATHS = [
    ("/overlays/dev", "'/overlays/dev' must be relative to the root of the repository"),
    ("../dev", "'../dev' must not hold '..'"),
    ("a/../dev", "'a/../dev' must not hold '..'"),
    ("overlays\\\\dev", "write forward slashes, 'overlays/dev'"),
    ("apps/{name}/dev", "unknown '{name}' in 'apps/{name}/dev': only {app} has a meaning"),
    ("apps/x{app}/dev", "{app} must be a whole part between slashes, not 'apps/x{app}/dev'"),
    ("{app}/{app}", "{app} stands twice in '{app}/{app}'"),
    (".gitops/dev", "'.gitops/dev' must not be inside .gitops"),
    ("", "'' is not a directory below the root, like overlays/dev"),
    ("a//b", "'a//b' is not a directory below the root, like overlays/dev"),
    ("a\\nb", "'a\\nb' is not a directory below the root, like overlays/dev"),
]


@pytest.mark.parametrize(("path", "expected"), PATHS, ids=[path for path, _ in PATHS])
def test_wrong_overlay(path, expected):
    """An overlay is a directory inside the repository."""
    text = row("").replace("overlays/dev", f'"{path}"')

    assert [f"5:26: environments[0].overlay: {expected}"] == problems_of(text)


OVERLAPS = [
    ("overlays/dev", "overlays/dev/", "is the same directory as"),
    ("apps/{app}/dev", "apps/{app}/dev", "is the same directory as"),
    ("apps/{app}/dev", "apps/shop/dev", "can be the same directory as"),
    ("{app}/dev", "overlays/{app}", "can be the same directory as"),
]


@pytest.mark.parametrize(("one", "two", "how"), OVERLAPS)
def test_overlays_overlap(one, two, how):
    """Two environments on the same files would change each other."""
    text = (
        f'{HEAD}environments:\n- {{name: a, overlay: "{one}"}}\n- {{name: b, overlay: "{two}"}}\n'
    )

    assert [f"5:22: environments[1].overlay: {two} {how} {one} of a (line 4)"] == problems_of(text)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("overlays/dev", "overlays/dev2"),
        ("apps/{app}/dev", "apps/{app}/test"),
        ("apps/{app}/dev", "other/shop/dev"),
        ("a/dev", "b/dev/x"),
        ("overlays/dev", "overlays/dev/eu"),
        ("overlays/dev/eu", "overlays/dev"),
        ("apps/shop/dev", "apps/{app}/dev/eu"),
    ],
)
def test_overlays_apart(one, two):
    """Directories with a kustomization each are fine, however alike their names, or nested."""
    text = (
        f'{HEAD}environments:\n- {{name: a, overlay: "{one}"}}\n- {{name: b, overlay: "{two}"}}\n'
    )

    assert [one, two] == [found.overlay for found in load_config(text.encode()).environments]


@pytest.mark.parametrize(
    ("top", "one", "two", "apart"),
    [
        ("", "", "branch: production", True),
        ("branch: main\n", "", "branch: production", True),
        ("branch: main\n", "", "branch: main", False),
        ("branch: main\n", "branch: main", "", False),
        ("", "branch: production", "branch: production", False),
        ("", "branch: production", "branch: staging", True),
    ],
)
def test_overlays_on_branches(top, one, two, apart):
    """The same path on another branch is another directory; on the same branch it is not."""
    rows = [
        f"- {{name: {name}, overlay: app, {keys}}}\n" for name, keys in (("a", one), ("b", two))
    ]
    text = f"{HEAD}{top}environments:\n{''.join(rows)}"

    if apart:
        assert 2 == len(load_config(text.encode()).environments)
    else:
        (problem,) = problems_of(text)
        assert "app is the same directory as app of a" in problem


def test_after_needs_an_earlier_environment():
    """The way to an environment must exist: no later one, and no layout that cannot be asked."""
    text = (
        HEAD
        + """\
environments:
  - {name: dev, overlay: "apps/{app}/dev", after: [tset, test]}
  - {name: test, overlay: overlays/test, after: [dev]}
  - {name: prod, overlay: overlays/prod, after: [tests]}
"""
    )
    expected = [
        "4:52: environments[0].after[0]: no environment 'tset'",
        "4:58: environments[0].after[1]: test comes later (line 5): put it before dev",
        "5:50: environments[1].after[0]: dev has an overlay for each app, test has one for all",
        "6:50: environments[2].after[0]: no environment 'tests'; did you mean test?",
    ]

    assert expected == problems_of(text)


WHOLE = [
    ("", "1:1: the file is empty"),
    ("# only a comment\n", "1:1: the file is empty"),
    ("---\n", "1:1: the file is empty"),
    (
        "- a\n",
        f"1:1: must be a mapping with the keys {TOP}, not a list",
    ),
    (
        "hello\n",
        f"1:1: must be a mapping with the keys {TOP}, not 'hello'",
    ),
    (
        row("") + "---\nkind: Config\n",
        "6:1: a second document begins here: the config is one document",
    ),
    (row("").replace("v1", "v2"), "1:13: apiVersion: must be gitops/v1, not 'gitops/v2'"),
    (row("").replace("Config", "config"), "2:7: kind: must be Config, not 'config'"),
    (HEAD, "1:1: environments: is missing"),
    (HEAD + "environments: []\n", "3:15: environments: the list is empty: it needs one at least"),
    (HEAD + "environments:\n", "3:14: environments: must be a list, not nothing"),
    (HEAD + "environments: [{name: dev}]\n", "3:16: environments[0].overlay: is missing"),
    (HEAD + "environments: [{overlay: a}]\n", "3:16: environments[0].name: is missing"),
    (
        HEAD + "environments: [dev]\n",
        f"3:16: environments[0]: must be a mapping with the keys {KNOWN}, not 'dev'",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WHOLE, ids=range(len(WHOLE)))
def test_wrong_file(text, expected):
    """A file that is wrong as a whole says so, in the same form."""
    found = [re.sub("; did you mean .*", "", problem) for problem in problems_of(text)]

    assert [expected] == found


def test_one_name_twice():
    """Commands name environments: every name is there once."""
    text = HEAD + "environments:\n- {name: a, overlay: x}\n- {name: a, overlay: y}\n"

    assert (problems_of(text)) == [
        "5:10: environments[1].name: there is an environment a already, on line 4"
    ]


def test_everything_at_once_and_in_order():
    """All problems come in one go, sorted by place, whichever rule found them."""
    text = """\
apiVersion: gitops/v1
brunch: main
environments:
  - name: prod
    after: [dev]
    overlay: overlays/dev
    deploy: atuo
  - {name: dev, overlay: overlays/dev, databse: real}
"""
    expected = [
        "1:1: kind: is missing",
        "2:1: brunch: unknown key; did you mean branch?",
        "5:13: environments[0].after[0]: dev comes later (line 8): put it before prod",
        "7:13: environments[0].deploy: must be manual or auto, not 'atuo'; did you mean auto?",
        "8:26: environments[1].overlay: overlays/dev is the same directory as "
        "overlays/dev of prod (line 6)",
        "8:40: environments[1].databse: unknown key; did you mean database?",
    ]

    assert expected == problems_of(text)


BROKEN = [
    ("a: [\n", "2:1: "),
    ("a: [", "1:5: "),
    ("a: b: c\n", "1:5: "),
    ("a: 'b\nc: d\n", "3:1: "),
    ("x: y\n\t\ta: b\n", "2:1: "),
    (b"a: \xff\n", "1:"),
    (b"a: \x00\n", "1:"),
]


@pytest.mark.parametrize(("text", "place"), BROKEN)
def test_broken_yaml_has_a_place(text, place):
    """What cannot be parsed is a config error too, with a place inside the file."""
    (problem,) = problems_of(text)

    assert problem.startswith(place)
    assert re.fullmatch(r"\d+:\d+: .+", problem)


def test_the_message_counts():
    """The message says how many problems there are; the reasons say which."""
    with pytest.raises(ConfigError) as caught:
        load_config(b"kind: Config\n", "other/gitops.yaml")

    assert caught.value.message == "other/gitops.yaml has 2 problems"
    assert caught.value.reasons[0].startswith("other/gitops.yaml:1:1: apiVersion: ")


def test_aliases_do_not_blow_up():
    """A file of nested aliases is refused quickly: what is read is as deep as the format."""
    lines = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)
    ]

    assert 3 + len(lines) == len(problems_of("\n".join(lines)))


# --- properties ---------------------------------------------------------------------------------

JUNK = st.sampled_from(
    ["", "x", "Config", "gitops/v1", "main", "{app}", "{version}", "a/../b", "-", "~", "1", "on"]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | JUNK,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "overlay", "after", "accepts", "kind", "environments", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def _places_outside(text: str) -> list[str]:
    try:
        load_config(text.encode())
    except ConfigError as error:
        return [reason for reason in error.reasons if not _is_inside(reason, text)]
    return []


def _is_inside(reason: str, text: str) -> bool:
    match = re.match(r"gitops\.yaml:(\d+):(\d+): ", reason)
    assert match is not None, reason
    line, column = int(match[1]), int(match[2])
    lines = text.split("\n")
    return 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1


@given(TREES, st.sampled_from([None, 2]))
def test_every_place_is_inside_the_file(tree, indent):
    """Whatever is wrong, the place reported exists."""
    assert _places_outside(json.dumps(tree, indent=indent)) == []


@given(st.text(st.sampled_from("ab:-[]{}\n '\"#&*!|>%@?, "), max_size=40))
def test_any_text_is_answered(text):
    """Any text at all is either a config or a ConfigError with places in the file."""
    assert _places_outside(text) == []


WORD = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter("ledger".__ne__)
PATTERN = st.sampled_from(
    ["main", "feature/**", "fix/*", "release/{version}", "a-*/b", "{version}"]
)


COUNT = st.integers(1, 20)
DURATION = st.sampled_from(["90s", "10m", "24h", "7d", "600"])
WINDOW = st.sampled_from(
    [
        {"from": "2026-12-20", "to": "2027-01-03", "timezone": "Asia/Seoul"},
        {"from": "2026-12-20T18:00", "to": "2026-12-20T18:00:01"},
        {"from": "2026-12-20T18:00:00Z", "to": "2026-12-21T18:00+09:00"},
        {"cron": "0 18 * * 1-5", "duration": "14h", "timezone": "America/New_York"},
    ]
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, object]:
    """Draw a config that is right, as a person could write it."""
    names = draw(st.lists(WORD, min_size=1, max_size=5, unique=True))
    apps = draw(st.booleans())
    rows = []
    for index, name in enumerate(names):
        change = draw(st.sampled_from(["commit", "pull-request", "work-tree"]))
        by_hand = change == "work-tree"
        modes = ["commit"] if by_hand else ["commit", "pull-request"]
        optional = {
            "accepts": draw(st.lists(PATTERN, unique=True, max_size=3)),
            "deploy": draw(st.sampled_from(["manual"] if by_hand else ["manual", "auto"])),
            "change": change,
            "rollback": draw(st.sampled_from(modes)),
            "after": draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else [],
            "database": draw(st.sampled_from(["dummy", "real"])),
            **({} if by_hand else {"branch": draw(WORD)}),
            "approvals": draw(
                st.fixed_dictionaries({}, optional={"required": COUNT, "self": st.booleans()})
            ),
        }
        if optional["after"]:
            verdicts = st.lists(st.sampled_from(["qa-passed", "stable"]), unique=True)
            optional |= {"requires": draw(verdicts), "soak": draw(DURATION)}
        kept = draw(st.sets(st.sampled_from(sorted(optional))))
        overlay = f"apps/{{app}}/{name}" if apps else f"overlays/{name}"
        # `change` decides what else may stand there, so it is left out only as its default.
        wanted = kept | ({"change"} if by_hand else set())
        wanted |= {"after"} if wanted & {"requires", "soak"} else set()
        rows.append({"name": name, "overlay": overlay, **{k: optional[k] for k in sorted(wanted)}})
    top: dict[str, object] = {"apiVersion": "gitops/v1", "kind": "Config", "environments": rows}
    windows = draw(st.lists(WINDOW, max_size=3))
    for index, window in enumerate(windows):
        some = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        where = {"environments": some} if draw(st.booleans()) else {}
        windows[index] = {"name": f"freeze {index}", "reason": "holidays", **window, **where}
    top |= {"freeze": windows} if windows else {}
    return top | ({"branch": draw(WORD)} if draw(st.booleans()) else {})


@given(configs())
def test_right_configs_are_right_for_both(config):
    """The schema and the reader accept the same right files."""
    loaded = load_config(json.dumps(config).encode())

    assert list(CHECKER.iter_errors(config)) == []
    assert [row["name"] for row in config["environments"]] == [
        found.name for found in loaded.environments
    ]


def spoil(config: dict, how: str, draw) -> None:
    """Change one thing in a right config, by junk or by a typical slip."""
    rows = config["environments"]
    table = draw(st.sampled_from([config, *rows]))
    if how == "junk":
        places = [(one, key) for one in (config, *rows) for key in one]
        places += [(one[key], 0) for one in rows for key in ("accepts", "after") if one.get(key)]
        holder, key = draw(st.sampled_from(places))
        holder[key] = draw(TREES)
    elif how == "unknown key":
        table[draw(st.sampled_from(["nmae", "wait", "", "Kind"]))] = draw(TREES)
    elif how == "missing key":
        table.pop(draw(st.sampled_from(sorted(table))))
    elif how == "another word":
        rows[0][draw(st.sampled_from(["deploy", "change", "rollback", "database"]))] = "by hand"
    elif how == "repeated item":
        rows[0]["accepts"] = ["main", "a", "main"]
    else:
        config["environments"] = []


@pytest.mark.parametrize(
    "how",
    ["junk", "unknown key", "missing key", "another word", "repeated item", "no environments"],
)
@given(config=configs(), data=st.data())
def test_shapes_are_judged_alike(how, config, data):
    """One thing in a right file spoiled: the schema and the reader agree about its shape."""
    spoil(config, how, data.draw)
    document = compose_first(json.dumps(config).encode(), "gitops.yaml")
    problems = Problems(document, "gitops.yaml")
    ROOT.read(document.root, "", problems)

    assert bool(problems.lines()) == (not CHECKER.is_valid(config)), problems.lines()


def test_the_schema_is_a_schema():
    """Editors can use it: it is valid itself, and every key has its sentence."""
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    row_schema = schema["properties"]["environments"]["items"]

    for key in [*schema["properties"].values(), *row_schema["properties"].values()]:
        assert key["description"].endswith(".")
    assert row_schema["properties"]["deploy"]["default"] == "manual"


def test_a_new_key_needs_one_line():
    """Objects in objects, lists of objects and durations come from the shapes alone."""
    duration = Text(r"[0-9]+[smh]?", lambda text: f"{shown(text)} is no duration, like 90s or 24h")
    table = Table(
        {
            "wait": Key(Table({"soak": Key(duration, "How long.", required=True)}), "Waiting."),
            "rules": Key(ListOf(Table({"level": Key(OneOf("advised"), "How much.")})), "Rules."),
        }
    )

    def read(text: str) -> tuple[Value | None, tuple[str, ...]]:
        document = compose_first(text.encode(), "f")
        problems = Problems(document, "f")
        return table.read(document.root, "", problems), problems.lines()

    right, none = read("wait: {soak: 5m}\nrules: [{level: advised}]")
    _, wrong = read("wait: {soak: soon}\nrules: [{level: 1}, {}]")

    assert right is not None
    assert right.keys["wait"].get("soak") == "5m"
    assert right.list("rules")[0].get("level") == "advised"
    assert none == ()
    assert wrong == (
        "f:1:14: wait.soak: 'soon' is no duration, like 90s or 24h",
        "f:2:17: rules[0].level: must be advised, not a number",
    )


COUNTED = """
import cProfile, msgspec, re, time, typing
import gitops.core.environments.environment, gitops.core.yamltext
profile = cProfile.Profile()
with profile:
    from gitops.config import load_config
    load_config(%r)
print(sum(entry.callcount for entry in profile.getstats()))
"""


def test_loading_does_little(tmp_path: Path) -> None:
    """Config must not be felt: some 2 ms of CPU with what it imports, beyond YAML itself.

    Calls are counted, which are the same on any machine; what they take, `scripts/bench house`
    shows beside an older checkout.
    """
    # As installed: compiled once, and measured by nobody else.
    left_out = ("PYTHONDONTWRITEBYTECODE", "COVERAGE_")
    environ = {key: text for key, text in os.environ.items() if not key.startswith(left_out)}
    environ["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    code = COUNTED % sample_files()["gitops.yaml"]
    _, calls = (
        int(subprocess.check_output([sys.executable, "-c", code], env=environ)) for _ in range(2)
    )

    assert calls < 14_500


def test_events_are_those_that_are_told() -> None:
    """The words of `notify:` are written out where they are read: they are those of the core."""
    assert set(get_args(EventKind)) == set(_EVENTS)


def test_thousands_of_environments_are_read_in_time() -> None:
    """Each is compared with those that it can share a directory with, and not with all."""
    rows = [f"  - {{name: e{one}, overlay: e/{one}, after: [e0]}}\n" for one in range(1, 4000)]
    head = "apiVersion: gitops/v1\nkind: Config\nenvironments:\n  - {name: e0, overlay: e/0}\n"
    begun = time.process_time()
    assert 4000 == len(load_config((head + "".join(rows)).encode()).environments)
    assert time.process_time() - begun < 5
