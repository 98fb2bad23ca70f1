"""`gitops workflow init`, `run`, `list`, `watch`, `stop`, `retry` and `resume`."""

from typing import Annotated, Any

from gitops.cli.options import (
    Argument,
    DryRun,
    Format,
    Option,
    OptionGroup,
    Output,
    RepositoryOptions,
)
from gitops.cli.session import open_for_reading, seconds

_HOUR = "1h"

Name = Annotated[str, Argument("WORKFLOW", "A workflow, as `gitops workflow list` shows it.")]
Parameters = Annotated[
    tuple[str, ...],
    Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter; may be given again."),
]


class PlaceOptions(OptionGroup):
    """Where the workflows are."""

    context: Annotated[
        str | None,
        Option(
            "--context",
            metavar="NAME",
            help="The kubeconfig context of the cluster that Argo Workflows runs in; default: the "
            "current one.",
        ),
    ] = None
    namespace: Annotated[
        str,
        Option(
            "--namespace",
            metavar="NAME",
            help="The namespace of the workflows.",
            envvar="GITOPS_WORKFLOWS_NAMESPACE",
        ),
    ] = "argo"
    output: Output = Format.text


class WatchOptions(OptionGroup):
    """How long a workflow is followed, and how much is shown of it."""

    timeout: Annotated[
        str, Option("--timeout", metavar="DURATION", help="How long it may take.")
    ] = _HOUR
    logs: Annotated[
        bool, Option("--logs", help="Show the logs of all steps; else of those that fail.")
    ] = False


class DefinitionOptions(OptionGroup):
    """What the first workflows of a team are made with."""

    image: Annotated[
        str, Option("--image", metavar="IMAGE", help="An image that has gitops, git and sh.")
    ]
    repo_url: Annotated[
        str | None,
        Option(
            "--repo-url",
            metavar="URL",
            help="The manifest repository that they write to; default: the remote origin here.",
        ),
    ] = None
    namespace: Annotated[
        str,
        Option(
            "--namespace",
            metavar="NAME",
            help="The namespace that they run in.",
            envvar="GITOPS_WORKFLOWS_NAMESPACE",
        ),
    ] = "argo"
    service_account: Annotated[
        str, Option("--service-account", metavar="NAME", help="The account of their pods.")
    ] = "gitops"
    secret: Annotated[
        str,
        Option(
            "--secret",
            metavar="NAME",
            help="The Secret whose keys become variables of their steps: tokens, names.",
        ),
    ] = "gitops"  # noqa: S105 - the name of one
    timezone: Annotated[
        str, Option("--timezone", metavar="ZONE", help="Of what runs every night.")
    ] = "Etc/UTC"


def init(
    options: DefinitionOptions,
    directory: Annotated[
        str, Argument("[DIR]", "Where to; default: workflows.", "folder")
    ] = "workflows",
    dry_run: DryRun = False,
    output: Output = Format.text,
) -> int:
    """Write the first workflows of a team: Python for hera, the YAML made from it, their rights.

    Build, test and deploy a commit; promote with an approval; reset dummy data; prune images every
    night. They are the team's from then on: change definition.py, and run it.
    """
    from gitops.cli.render.workflows import print_files
    from gitops.wiring.workflows import workflow_init as run

    settings = {
        "repository": options.repo_url or "",
        "image": options.image,
        "namespace": options.namespace,
        "service_account": options.service_account,
        "secret": options.secret,
        "timezone": options.timezone,
    }
    return print_files(run(directory, settings, dry_run=dry_run), output)


def run(
    template: Annotated[str, Argument("TEMPLATE", "A WorkflowTemplate of the namespace.")],
    place: PlaceOptions,
    watch: WatchOptions,
    parameters: Parameters = (),
    wait: Annotated[bool, Option("--wait/--no-wait", help="Then follow it to its end.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Submit a WorkflowTemplate; --wait follows it: each step, how long it took, logs of failures.

    Exit 1 when it fails, 75 when it takes too long: it goes on without us.
    """
    from gitops.actions.workflows.submit import read_parameters, submit
    from gitops.cli.render.workflows import print_planned, print_run
    from gitops.wiring import new_id

    given = read_parameters(parameters)
    workflows, clock = _opened(place)
    made, wanted = submit(workflows, template, given, intent=new_id(), dry_run=dry_run)
    if made is None:
        return print_planned(wanted, place.output)
    if not wait:
        hint = f"gitops workflow watch {made.name}"
        return print_run("run", "submitted", made, place.output, hint=hint)
    return _follow(workflows, clock, made.name, place, watch, "run")


def watch(name: Name, place: PlaceOptions, options: WatchOptions) -> int:
    """Follow a workflow to its end: each step, how long it took, logs of what fails.

    Exit 1 when it failed, 75 when it takes too long.
    """
    workflows, clock = _opened(place)
    return _follow(workflows, clock, name, place, options, "watch")


def _opened(place: PlaceOptions) -> Any:
    """Return the workflows there, and the time."""
    from gitops.wiring.workflows import open_workflows

    return open_workflows(place.context, place.namespace)


def _follow(
    workflows: Any, clock: Any, name: str, place: PlaceOptions, options: WatchOptions, action: str
) -> int:
    from gitops.actions.workflows.follow import WorkflowTeller, follow
    from gitops.cli.render.terminal import log_teller
    from gitops.cli.render.workflows import print_run, say_step
    from gitops.errors import Unhealthy

    said, logged = say_step(place.output), log_teller(place.output)
    teller = WorkflowTeller(workflows, said, logged, logs=options.logs)
    ended = follow(workflows, clock, name, seconds(options.timeout), teller)
    if ended.phase != "Succeeded":
        why = f": {ended.message}" if ended.message else ""
        raise Unhealthy(
            f"workflow {ended.name} ended {ended.phase.lower()}{why}",
            reasons=tuple(f"{one.name}: {one.message or one.phase}" for one in ended.failed),
            hint=f"`gitops workflow retry {ended.name}` runs again what failed",
        )
    return print_run(action, "succeeded", ended, place.output)


def list_(
    place: PlaceOptions,
    limit: Annotated[
        int, Option("--limit", "-n", least=1, help="How many, the newest first.")
    ] = 20,
) -> int:
    """Show the newest workflows: their phase, how long they took, and who they wait for."""
    from gitops.cli.render.workflows import print_runs
    from gitops.core.workflows.run import read_run

    workflows, _ = _opened(place)
    return print_runs(
        [read_run(one) for one in workflows.newest(limit)], workflows.place, place.output
    )


def stop(
    name: Name,
    place: PlaceOptions,
    terminate: Annotated[
        bool, Option("--terminate", help="At once, without its exit handler.")
    ] = False,
) -> int:
    """Ask a workflow to end; steps that run are stopped, its exit handler still runs."""
    from gitops.actions.workflows.steer import stop as stop_it
    from gitops.cli.render.workflows import print_run

    workflows, _ = _opened(place)
    found, asked = stop_it(workflows, name, terminate=terminate)
    return print_run("stop", "stopping" if asked else "unchanged", found, place.output)


def retry(name: Name, place: PlaceOptions) -> int:
    """Run a failed workflow again from where it failed; what went well stays as it is."""
    from gitops.actions.workflows.steer import retry as retry_it
    from gitops.cli.render.workflows import print_run

    workflows, _ = _opened(place)
    found, steps = retry_it(workflows, name)
    hint = f"gitops workflow watch {found.name}"
    return print_run("retry", "retried", found, place.output, steps=steps, hint=hint)


class WorkflowResumeOptions(OptionGroup):
    """Which step goes on, and how."""

    step: Annotated[
        str | None, Option("--step", metavar="NAME", help="Which step, where several wait.")
    ] = None
    refuse: Annotated[
        str | None,
        Option("--refuse", metavar="REASON", help="Let the step fail, and the workflow with it."),
    ] = None
    repo: Annotated[
        str,
        Option(
            "--repo",
            metavar="PATH|URL",
            help="The manifest repository, which knows what is approved.",
            envvar="GITOPS_REPO",
        ),
    ] = "."


def resume(
    name: Name,
    options: WorkflowResumeOptions,
    place: PlaceOptions,
    parameters: Parameters = (),
) -> int:
    """Let a workflow go on where it waits for somebody.

    A step that stands for the approval of an environment goes on once nothing waits there any more:
    `gitops approve` is what approves.
    """
    from gitops.actions.workflows.steer import require_approved
    from gitops.actions.workflows.steer import resume as resume_it
    from gitops.actions.workflows.submit import read_parameters
    from gitops.cli.render.workflows import print_run
    from gitops.wiring.workflows import whoami

    values = read_parameters(parameters)
    workflows, clock = _opened(place)

    def check(step: Any) -> None:
        where = RepositoryOptions(repo=options.repo)
        with open_for_reading(where) as session:
            require_approved(session(), step)

    found, steps = resume_it(
        workflows,
        clock,
        name,
        step=options.step,
        values=values,
        by=whoami(),
        refuse=options.refuse,
        check=check,
    )
    outcome = "refused" if options.refuse is not None else "resumed"
    names = [one.name for one in steps]
    return print_run("resume", outcome, found, place.output, steps=names)


COMMANDS = {
    "workflow init": init,
    "workflow run": run,
    "workflow watch": watch,
    "workflow list": list_,
    "workflow stop": stop,
    "workflow retry": retry,
    "workflow resume": resume,
}
