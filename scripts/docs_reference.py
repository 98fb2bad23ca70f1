"""Writes docs/reference/ from the code: commands, gitops.yaml, errors, trailers.

`python scripts/docs_reference.py` writes the pages, `--check` shows what is stale and exits 1.
Run it through `scripts/docs`. What the code cannot say by itself (what a variable or a trailer is
for) stands here, and a page fails to build when the code has one more or one less.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from man_pages import man_pages

import gitops
from gitops import errors
from gitops.adapters.argocd.clusters import SERVER, TOKEN
from gitops.adapters.gitrepo import identity
from gitops.adapters.http import tls
from gitops.cli.app import app
from gitops.cli.catalogue import EXAMPLES
from gitops.cli.job_files import OUTPUTS, SUMMARY
from gitops.cli.lazy_group import load_all
from gitops.config import config_schema
from gitops.config.shapes import Table
from gitops.core.batch.intents import REF_PREFIX
from gitops.core.batch.selection import ANSWER_TRAILER, CARRIER_TRAILER
from gitops.core.forges.token import VARIABLES as FORGE_VARIABLES
from gitops.core.git.ci_build import VARIABLES as JOB_VARIABLES
from gitops.core.git.message import ChangeLine, CommitMessage, trailers
from gitops.core.hold import Hold, hold_path, render_hold
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.server.security import rates as rates_of
from gitops.server.security.bodies import DOCUMENT, FORM
from gitops.server.settings import KEYS
from gitops.server.writer.order import REQUEST
from gitops.server.writer.writer import MOST_WAITING

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
NOTICE = "<!-- Made by scripts/docs from the code: change the code, then run it again. -->\n\n"

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "the answer is no",
    2: "wrong usage or configuration",
    3: "cannot",
    75: "try again: nothing is wrong with the request",
    70: "a bug in gitops",
    130: "interrupted",
}

VARIABLES = {
    "GITOPS_SERVER": "The server that does what is to be written "
    "([let a server write](../how-to/call-the-server.md)).",
    "GITOPS_SERVER_TOKEN": "Who asks that server: a token of the job, or a fixed one.",
    "GITOPS_SERVER_TOKEN_FILE": "A file with that token.",
    "GITOPS_REPO": "The manifest repository, where `--repo` is not given.",
    "GITOPS_AUTHOR": "Who writes, as `Name <mail@example.com>`; wins over Git's own identity.",
    "GITOPS_SIGN": "`github-app`: commits are made and signed by GitHub, for the App whose id and "
    "key are given ([how](../how-to/github.md#a-github-app-in-place-of-a-token)).",
    "GITOPS_SOURCE_HOSTS": "Servers of source repositories (`source` in gitops.yaml) that get the "
    "caller's credentials, beside the manifests' own: hosts, parted by commas, with a port or a "
    "scheme where one is meant "
    "([when](../how-to/release-branches.md#which-server-gets-credentials)).",
    "GITOPS_COMBINE_KEY": "A secret of at least 16 characters that jobs share: `gitops deploy` "
    "then carries the changes of others and is carried ([how](../how-to/many-jobs.md)).",
    "GITOPS_CACHE": "Where what was read of repositories is kept for the next call; default: "
    "`gitops` in `$XDG_CACHE_HOME`, else in `~/.cache`. Empty or `off`: nowhere. Can be deleted at "
    "any time.",
    "GITOPS_ARGOCD_REPO": "What Argo CD's Applications call the manifest repository, where that "
    "differs from the URL used here.",
    "GITOPS_SETTINGS": "The file with the addresses of channels, for `gitops notify` "
    "([how](../how-to/notify.md)).",
    "GITOPS_WORKFLOWS_NAMESPACE": "The namespace that Argo Workflows runs workflows in; default: "
    "`argo` ([how](../how-to/workflows.md)).",
    "NO_COLOR": "When set, output has no colour; it has none either where no terminal is.",
}

TRAILERS = {
    "Gitops-Action": "What was done: `deploy`, `promote`, `rollback`, `undo`, `qa`, `wait`, "
    "`hold`, `resume`.",
    "Gitops-Environment": "The environment, `APP/ENV` where each app has overlays; one for each.",
    "Gitops-Id": "Unique for each call, the same in every attempt of it. After an answer that "
    "got lost it tells whether the commit landed.",
    "Source-Revision": "`--ref` and `--commit`: the source branch and commit of the images. A "
    "promotion carries them on.",
    "Gitops-Source": "A promotion of images with different sources: environment, image, and the "
    "source branch and commit of this image.",
    "Gitops-Provenance": "What an image proved where `provenance:` asks for it: image, repository "
    "and commit, and how it says so.",
    "Gitops-Restores": "A rollback: the commit whose images it puts back.",
    "Gitops-Rolled-Back": "A rollback: the commit that was judged bad.",
    "Gitops-Schema": "`deploy --schema`, or what the image says: what it does to the database's "
    "schema, `none`, `compatible` or `breaking`. A promotion carries the worst of what it brings.",
    "Gitops-Schema-Risk": "`rollback --accept-schema-risk`: environment and commit of each "
    "breaking release that it went back across.",
    "Gitops-Undoes": "`gitops undo`: the rollback that it takes back.",
    "Gitops-Override": "`--override`: one for each reason that was passed over.",
    "Argocd-reference-commit-sha": "The source commit, where Argo CD looks for it.",
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` compare them; return the exit code."""
    pages = {
        "cli.md": commands_page(),
        "config.md": config_page(),
        "server.md": server_page(),
        "errors.md": errors_page(),
        "trailers.md": trailers_page(),
    }
    group = load_all(app)
    manual = man_pages(group, commands_of(group), EXIT_CODES, VARIABLES)
    pages |= {f"../man/{name}": text for name, text in manual.items()}
    stale = False
    for name, text in pages.items():
        path = (FOLDER / name).resolve()
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        if "--check" in arguments:
            before, after = present.splitlines(), text.splitlines()
            shown = str(path.relative_to(ROOT))
            for line in difflib.unified_diff(before, after, shown, f"{shown} (new)", lineterm=""):
                print(line)
                stale = True
        elif present != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in sorted((ROOT / "docs" / "man").glob("*.1")):
        if path.name not in manual:
            print(f"docs/man/{path.name} is of no command: remove it")
            stale = True
    if stale:
        print("docs/reference is stale: run scripts/docs", file=sys.stderr)
    return int(stale)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a `|` inside a cell would end it, also inside a code span."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def code(words: Iterable[str]) -> str:
    """Return words as code spans with commas between."""
    return ", ".join(f"`{word}`" for word in words)


def commands_page() -> str:
    """Every command with its arguments and options, and the variables that gitops reads."""
    group = load_all(app)
    parts = [
        NOTICE + "# Commands\n\n",
        table(
            ("command", "what it does"),
            (
                (f"[`gitops {name}`](#gitops-{name.replace(' ', '-')})", first_sentence(command))
                for name, command in commands_of(group)
            ),
        ),
        "\nOptions of `gitops` itself:\n\n" + options(group),
        "\nEvery command takes `--help`. `--repo`, `--branch` and `-o` may stand before it; an "
        "option of one value that is given twice is an error. Durations are `90s`, `10m`, `24h`; a "
        "bare number is seconds. [Exit codes](errors.md#exit-codes) and [JSON documents](json.md) "
        "have pages of their own.\n",
    ]
    for name, command in commands_of(group):
        parts.append(f"\n## gitops {name}\n\n{prose(command.help)}\n\n{usage(name, command)}")
        found = [arguments_of(command), options(command)]
        parts += [f"\n{text}" for text in found if text]
        parts.append("\n```sh\n" + "".join(f"{line}\n" for line in EXAMPLES[name]) + "```\n")
    parts.append("\n## Environment variables\n\n" + variables(group))
    return "".join(parts)


def commands_of(group: click.Group) -> Iterable[tuple[str, click.Command]]:
    """Yield every command with its words: `deploy`, `release cut`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in commands_of(command))
        else:
            yield name, command


def first_sentence(command: click.Command) -> str:
    """Return the first paragraph of a command's help as one line."""
    return prose(command.help).split("\n\n")[0]


def prose(text: str | None) -> str:
    """Return help text with each paragraph on one line."""
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def usage(name: str, command: click.Command) -> str:
    """Return the usage line of a command as a block."""
    context = click.Context(command, info_name=f"gitops {name}")
    pieces = " ".join(command.collect_usage_pieces(context))
    return f"```text\ngitops {name} {pieces}\n```\n"


def arguments_of(command: click.Command) -> str:
    """Return the table of a command's arguments, empty when it has none."""
    found = [entry for entry in command.params if isinstance(entry, click.Argument)]
    rows = [(f"`{argument_name(entry)}`", getattr(entry, "help", None) or "") for entry in found]
    return table(("argument", "meaning"), rows) if rows else ""


def argument_name(argument: click.Argument) -> str:
    """Return what usage calls an argument."""
    return (argument.metavar or argument.name or "").strip("[]")


def options(command: click.Command) -> str:
    """Return the table of a command's options."""
    rows = []
    for entry in command.params:
        if not isinstance(entry, click.Option) or entry.hidden:
            continue
        names = code([*entry.opts, *entry.secondary_opts])
        value = "" if entry.is_flag else f" `{value_name(entry)}`"
        rows.append((names + value, default_of(entry), prose(entry.help)))
    return table(("option", "default", "meaning"), rows) if rows else ""


def value_name(option: click.Option) -> str:
    """Return what stands behind the name of an option."""
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(getattr(choice, "value", choice)) for choice in option.type.choices)
    return option.type.name.upper()


def default_of(option: click.Option) -> str:
    """Return the default of an option as a cell."""
    if option.required:
        return "required"
    value = getattr(option.default, "value", option.default)
    if option.is_flag:
        return f"`{option.opts[0]}`" if value and option.secondary_opts else ""
    shown = f"`{value}`" if isinstance(value, (str, int)) and str(value) else ""
    return f"{shown} (`${option.envvar}`)".strip() if option.envvar else shown


def variables(group: click.Group) -> str:
    """Return what gitops reads from the environment."""
    described = set(VARIABLES)
    named = {
        str(entry.envvar)
        for _, command in commands_of(group)
        for entry in command.params
        if entry.envvar
    }
    named |= set(variables_read())
    named -= set(OUTPUTS)  # written for other steps, and never read
    agree("environment variables", named, described)
    own = table(("variable", "meaning"), ((f"`{name}`", VARIABLES[name]) for name in VARIABLES))
    return own + (
        "\nWhere neither `GITOPS_AUTHOR` nor Git says who writes, the CI system does: "
        f"{code(ci_variables())}.\n"
        f"\nPull requests: {code(FORGE_VARIABLES)} ([which token goes where](forges.md#tokens)). "
        f"Certificates: {code(tls.VARIABLES)}.\n"
        f"\n`--ref auto` reads the job's: {code(JOB_VARIABLES)}.\n"
        f"\nA write appends what it did to the file that `{SUMMARY}` names, and `--outputs` these: "
        f"{code(OUTPUTS)}.\n"
        f"\n`{SERVER}` and `{TOKEN}`: Argo CD's own API and a token for it, in place of every "
        "cluster of `gitops.yaml`. `KUBECONFIG` is read as by every Kubernetes client.\n"
        "\nOf Git's own variables those that say who writes, how to sign in, and which "
        "configuration, proxy, certificates and SSH command hold are respected. Those that point "
        "at a repository (`GIT_DIR`, `GIT_WORK_TREE`, `GIT_INDEX_FILE`, …) are not.\n"
    )


def variables_read() -> Iterable[str]:
    """Yield the variables of ours that the outer modules name."""
    package = Path(gitops.__file__).parent
    for folder in ("cli", "adapters", "."):
        pattern = "*.py" if folder == "." else "**/*.py"
        for path in (package / folder).glob(pattern):
            text = path.read_text(encoding="utf-8")
            yield from re.findall(r"\bGITOPS_[A-Z_]*[A-Z]\b|\bNO_COLOR\b", text)


def ci_variables() -> Iterable[str]:
    """Return the variables of CI systems that name an author, in the order they are asked."""
    text = Path(identity.__file__).read_text(encoding="utf-8")
    return dict.fromkeys(re.findall(r'"((?:GITHUB|GITLAB|BUILD\w*|DRONE|CI)_[A-Z_]+)"', text))


def config_page() -> str:
    """Every key of gitops.yaml."""
    schema = config_schema()
    rows = [
        (f"`{path}`", kind(value), default_or_required(value, required), str(value["description"]))
        for path, value, required in keys(schema)
    ]
    return (
        NOTICE + "# gitops.yaml\n\n" + f"{schema['description']} It lies at the root of the "
        "manifest repository, and is read from the tip that a write builds on, never from your "
        "work tree: a local edit switches nothing off.\n\n"
        "`gitops schema` prints its JSON Schema, for editors. `gitops validate` checks it, and "
        "says every problem at once as `gitops.yaml:LINE:COL: path.to.key: what is wrong`.\n\n"
        "## Keys\n\n"
        + table(("key", "value", "default", "meaning"), rows)
        + "\nAny other key is an error.\n\n## Example\n\n"
        + f"```yaml\n{(ROOT / 'gitops.yaml').read_text(encoding='utf-8')}```\n"
    )


def server_page() -> str:
    """Every key of the server's settings file."""
    rows = [
        (f"`{path}`", kind(value), default_or_required(value, required), str(value["description"]))
        for path, value, required in keys(Table(KEYS).schema())
    ]
    return (
        NOTICE + "# Settings of the server\n\n"
        "What `gitops serve --settings FILE` reads when it starts: YAML, with what must not stand "
        "in a repository. Secrets are files of their own, named here; the end of their last line "
        "does not count. Everything that is wrong is said at once, with its place, and nothing is "
        "served then. How to put it together: [Let people sign in](../how-to/sign-in.md).\n\n"
        + table(("key", "value", "default", "meaning"), rows)
        + "\nAny other key is an error.\n\n"
        + server_bounds()
    )


def server_bounds() -> str:
    """What one caller may ask for, as the code has it."""
    rates = (
        ("a person, reading", rates_of.PEOPLE_READ),
        ("a person, acting", rates_of.PEOPLE_ACT),
        ("a job, or a fixed token", rates_of.JOBS),
        ("an address of which nobody is known", rates_of.STRANGERS),
    )
    rows = [(who, f"{one.each_second:g}", str(one.at_once)) for who, one in rates]
    return (
        "## What one caller may ask for\n\n"
        "Pages and `/v1` alike; more is 429 with `Retry-After`, and changes nothing. A job is all "
        "pipelines of its project. Whoever runs the server on loopback for themselves has no "
        "bound; `/healthz`, `/readyz`, files of the pages and `/hooks/` have none by caller: a "
        "hook that is not proved does nothing, one that is causes at most one look a second.\n\n"
        + table(("caller", "requests a second", "at once"), rows)
        + f"\nA body of `/v1/` and `/hooks/` has at most {DOCUMENT >> 20} MiB, a form "
        f"{FORM >> 10} KiB (413). At most {MOST_WAITING} calls wait to be written; then, and when "
        "all threads are busy, the answer is 503 with `Retry-After`: the same call, with the same "
        "`Idempotency-Key`, may be sent again.\n"
    )


def keys(schema: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, dict[str, Any], bool]]:
    """Yield (dotted path, schema, is required) of every key below `schema`."""
    for name, value in schema.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, value, name in schema.get("required", ())
        yield from keys(value, f"{here}.")
        if isinstance(value.get("items"), dict):
            yield from keys(value["items"], f"{here}[].")


def kind(value: Mapping[str, Any]) -> str:
    """Return what a key holds, in words."""
    if "enum" in value:
        return code(map(str, value["enum"]))
    if value.get("type") == "array":
        return "list of texts" if value["items"].get("type") == "string" else "list"
    if "anyOf" in value:
        return "text, or list of texts"
    return {"string": "text", "object": "mapping"}.get(value["type"], str(value["type"]))


def default_or_required(value: Mapping[str, Any], required: bool) -> str:
    """Return the default of a key as a cell."""
    if required:
        return "required"
    return f"`{value['default']}`" if "default" in value else ""


def error_classes(base: type[errors.GitopsError]) -> Iterable[type[errors.GitopsError]]:
    """Yield the classes below `base`, parents first, in the order of the file."""
    for found in base.__subclasses__():
        yield found
        yield from error_classes(found)


def errors_page() -> str:
    """Every exit code and every `error.code`."""
    classes = list(error_classes(errors.GitopsError))
    agree("exit codes", {0, *(found.exit_code for found in classes)}, set(EXIT_CODES))
    by_code = {
        number: [found.code for found in classes if found.exit_code == number and is_own(found)]
        for number in EXIT_CODES
    }
    return (
        NOTICE + "# Errors and exit codes\n\n"
        "An error is printed on standard error as `error: …` and, where there is a way out, "
        "`hint: …`. With `-o json` standard output holds one document, too:\n\n"
        '```json\n{"error": {"code": "refused", "message": "…", "hint": "…", "reasons": ["…"]}}\n'
        "```\n\nA call that is interrupted after a push, or while one is on its way, says what "
        "landed or may have landed; its document has the `Gitops-Id` of the commit (`id`, also in "
        "`error`), and `error.pushes`: `branch`, `commit` and `landed` (`true`, or `null` where "
        "nobody knows).\n\n"
        "## Exit codes\n\n"
        + table(
            ("exit code", "meaning", "`error.code`"),
            ((f"`{n}`", EXIT_CODES[n], code(dict.fromkeys(by_code[n]))) for n in EXIT_CODES),
        )
        + "\n## Errors\n\n"
        + table(
            ("`error.code`", "exit code", "class", "meaning"),
            (
                (f"`{found.code}`", f"`{found.exit_code}`", f"`{found.__name__}`", meaning(found))
                for found in classes
                if is_own(found)
            ),
        )
        + "\n`TryAgain` is the class above those of exit code 75. `NoAtomicPush` (`denied`) is "
        "answered by moving the branches one after the other, `TooLarge` (`denied`) by telling "
        "of a branch below `gitops/` without reading it. `differs` and `unhealthy` are "
        "answers, not accidents.\n"
    )


def is_own(found: type[errors.GitopsError]) -> bool:
    """Say whether users ever see this class: those with a `code` of their own."""
    return "code" in vars(found) and found is not errors.TryAgain


def meaning(found: type[errors.GitopsError]) -> str:
    """Return the first sentence of a class's docstring."""
    return prose(found.__doc__).split("\n\n")[0].split(";")[0].removesuffix(".")


def trailers_page() -> str:
    """Every trailer, with a real message, and the hold file."""
    message = CommitMessage(
        action="rollback",
        environments=["dev"],
        changes=[ChangeLine("dev", ImageChange("shop/api", value("1.6.0"), value("1.5.0")))],
        intent="0f0e0d0c0b0a09080706050403020100",
        reason="INC-42: checkout fails",
        overrides=["INC-42 is worse (passed: dev: held by Bo: INC-41)"],
        source=("main", "5f2c" * 10),
        restores="4b1d" * 10,
        rolled_back="9ab1" * 10,
        undoes="7e57" * 10,
        sources=[f"dev shop/api release/1.5@sha1:{'5f2c' * 10}"],
        schema="compatible",
        crosses=[f"dev {'7e57' * 10}"],
        proofs=[f"shop/api git.example.com/shop/api@{'5f2c' * 10} (annotation, signed)"],
    ).render()
    agree("trailers", set(trailers(message)), set(TRAILERS))
    hold = Hold(
        by="Ana",
        since=datetime(2026, 11, 24, 14, 2, tzinfo=UTC),
        reason="INC-42: checkout fails",
        release="c0ffee" * 6 + "c0ff",
        restores="4b1d" * 10,
        rolled_back="9ab1" * 10,
    )
    return (
        NOTICE + "# What is written to Git\n\n## Trailers\n\n"
        "The last paragraph of a commit message. They are read from there only: a reason that "
        "looks like a trailer is none.\n\n"
        + table(("trailer", "meaning"), ((f"`{key}`", TRAILERS[key]) for key in TRAILERS))
        + "\nThe merge of a proposal has those of the proposal, and `Gitops-Approved-By`: who "
        "approved it. Squashed, it also has the proposal's `Gitops-Id` beside its own; rebased, it "
        "is the proposal's own commit. `Co-authored-by` in a proposal names others whose images "
        "are still in it.\n"
        "\nWhere jobs carry each other's changes ([many jobs at once](../how-to/many-jobs.md)), a "
        f"commit that was carried has `{CARRIER_TRAILER}`: whose push it came with. "
        f"`{ANSWER_TRAILER}`, on the last commit of such a push, names a change that was not "
        "applied, whose it was, and why.\n"
        "\nWhat a [server](../how-to/serve.md) writes says how it came, `Gitops-Via` (`page`, "
        "`api`, `alert`, `cluster`, `registry`), for whom, `Gitops-Actor`, and for which alert, "
        f"`Gitops-Alert`. `{REQUEST}` is a digest of all that was asked for under an id that the "
        "caller chose, so that the same id with something else is refused after a restart, too.\n"
        + f"\nA message that has all of them:\n\n```text\n{message}```\n\n## Holds\n\n"
        f"The hold of `dev` is the file `{hold_path('dev', None)}`, of `dev` of app `shop` "
        f"`{hold_path('dev', 'shop')}`, on the branch that `dev` lives on; of everything "
        "`.gitops/hold.yaml`, on the top-level branch:\n\n"
        f"```yaml\n{render_hold(hold).decode()}```\n\n"
        "`restores` and `rolledBack` stand there after a rollback. A hold that cannot be read "
        "holds.\n\n## Branches\n\n"
        "`gitops/ENV` (`gitops/APP/ENV`): the proposal of an environment with "
        "`change: pull-request`, one at most, updated in place, to be merged into the branch that "
        "the environment lives on.\n"
        f"\n## Refs\n\n`{REF_PREFIX}ID`: a deploy that waits to be carried, sealed with "
        "`GITOPS_COMBINE_KEY`; at most for ten minutes. It is no branch, and no clone fetches it.\n"
    )


def value(tag: str) -> ImageValue:
    """Return an image value that has only a tag."""
    return ImageValue(None, tag, None)


def agree(what: str, found: set[Any], described: set[Any]) -> None:
    """Exit when the code has what is not described here, or the other way round."""
    if found != described:
        sys.exit(f"scripts/docs_reference.py: {what} differ: {sorted(found ^ described, key=str)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
