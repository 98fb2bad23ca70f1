"""The team's workflows for Argo Workflows, made by hera: change them here, not in the YAML.

`python definition.py` writes each as a YAML file beside this one; `gitops workflow init` wrote both
the first time. Needs Python 3.11 and hera (https://hera.readthedocs.io), nothing of gitops.

Values of a workflow (`{{…}}`) are pasted as text, so none stands in a script: they are handed over
as variables of the environment. Every template has a `command`: without one the controller asks the
registry for the image's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hera.workflows import (
    DAG,
    Container,
    CronWorkflow,
    Env,
    Parameter,
    RetryStrategy,
    SecretEnvFrom,
    Step,
    Steps,
    Suspend,
    Task,
    WorkflowTemplate,
)
from hera.workflows.models import ValueFrom


@dataclass(frozen=True)
class Settings:
    """What differs from team to team.

    Attributes:
        repository: URL of the manifest repository.
        image: an image that has gitops, git and sh.
        namespace: where the workflows run.
        service_account: of their pods; `rights.yaml` has what it may do.
        secret: a Secret of that namespace whose keys are variables of the steps: the forge's token
            (GITHUB_TOKEN and its like), and GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME,
            GIT_COMMITTER_EMAIL.
        timezone: of the CronWorkflow.
    """

    repository: str
    image: str
    namespace: str
    service_account: str
    secret: str
    timezone: str


SETTINGS = Settings(
    repository="https://git.example.com/shop/manifests.git",
    image="registry.example.com/gitops:1",
    namespace="argo",
    service_account="gitops",
    secret="gitops",  # noqa: S106 - the name of one
    timezone="Etc/UTC",
)

ANSWER = "/tmp/answer.json"  # noqa: S108 - in a container of its own
OUTCOME = "/tmp/outcome"  # noqa: S108

_TELL_OUTCOME = (
    'python3 -c "import json; print(json.load(open(\\"$ANSWER\\")).get(\\"outcome\\", \\"\\"))" '
    '> "$OUTCOME"'
)
# The answer is kept also when the command fails: the workflow shows it, and the exit handler.
_KEPT = 'code=0; {command} -o json > "$ANSWER" || code=$?; cat "$ANSWER"; {then}exit $code'


def definitions(settings: Settings) -> Iterator[WorkflowTemplate | CronWorkflow]:
    """Yield every workflow of the team."""
    yield release(settings)
    yield promotion(settings)
    yield data_reset(settings)
    yield prune(settings)


def release(settings: Settings) -> WorkflowTemplate:
    """A commit: built, tested, deployed where its branch goes, waited for."""
    names = ("source", "ref", "commit", "image", "registry", "test")
    with WorkflowTemplate(
        name="gitops-release",
        namespace=settings.namespace,
        entrypoint="main",
        service_account_name=settings.service_account,
        arguments=[
            Parameter(name="source", description="URL of the source repository"),
            Parameter(name="ref", description="the branch that is built: main, release/1.4"),
            Parameter(name="commit", description="its commit"),
            Parameter(name="image", description="as overlays name it: shop/api"),
            Parameter(name="registry", description="where it is pushed, without a tag"),
            Parameter(
                name="test", value="true", description="a shell command, run in the built image"
            ),
        ],
    ) as made:
        tag = _gitops(
            settings,
            "tag",
            'gitops images tag --ref "$REF" --commit "$COMMIT" > "$OUTCOME"; cat "$OUTCOME"',
            ("ref", "commit"),
            outcome="tag",
        )
        build = Container(
            name="build",
            image="moby/buildkit:rootless",
            command=["sh", "-ec"],
            args=[
                "buildctl-daemonless.sh build --frontend dockerfile.v0 "
                '--opt context="$SOURCE#$COMMIT" '
                '--opt label:org.opencontainers.image.revision="$COMMIT" '
                '--opt label:org.opencontainers.image.source="$SOURCE" '
                '--output type=image,name="$REGISTRY:$TAG",push=true'
            ],
            env=_environment("source", "commit", "registry", "tag"),
            inputs=_inputs("source", "commit", "registry", "tag"),
        )
        test = Container(
            name="test",
            image="{{inputs.parameters.registry}}:{{inputs.parameters.tag}}",
            command=["sh", "-ec"],
            args=['exec sh -ec "$TEST"'],
            env=_environment("test"),
            inputs=_inputs("registry", "tag", "test"),
        )
        deploy = _gitops(
            settings,
            "deploy",
            _keep('gitops deploy "$IMAGE:$TAG" --ref "$REF" --commit "$COMMIT" --wait'),
            ("image", "tag", "ref", "commit"),
        )
        with DAG(name="main"):
            given = {name: f"{{{{workflow.parameters.{name}}}}}" for name in names}
            Task(name="tag", template=tag, arguments=_some(given, "ref", "commit"))
            given["tag"] = "{{tasks.tag.outputs.parameters.tag}}"
            Task(
                name="build",
                template=build,
                arguments=_some(given, "source", "commit", "registry", "tag"),
                depends="tag",
            )
            Task(
                name="test",
                template=test,
                arguments=_some(given, "registry", "tag", "test"),
                depends="build",
            )
            Task(
                name="deploy",
                template=deploy,
                arguments=_some(given, "image", "tag", "ref", "commit"),
                depends="test",
            )
    return made


def promotion(settings: Settings) -> WorkflowTemplate:
    """What the environments before it run, promoted to an environment, with its approval.

    The suspended step is a sign for people: what protects the environment is gitops' policy and the
    forge. `gitops approve ENV` approves, `gitops workflow resume` goes on, and refuses before that.
    """
    with WorkflowTemplate(
        name="gitops-promote",
        namespace=settings.namespace,
        entrypoint="main",
        service_account_name=settings.service_account,
        arguments=[Parameter(name="environment", description="where to")],
    ) as made:
        promote = _gitops(
            settings,
            "promote",
            _keep('gitops promote --to "$ENVIRONMENT"', outcome=True),
            ("environment",),
            outcome="outcome",
        )
        approval = Suspend(name="approval", inputs=[Parameter(name="environment")])
        wait = _gitops(
            settings,
            "wait",
            _keep('gitops wait "$ENVIRONMENT"'),
            ("environment",),
        )
        there = {"environment": "{{workflow.parameters.environment}}"}
        with Steps(name="main"):
            Step(name="promote", template=promote, arguments=there)
            Step(
                name="approval",
                template=approval,
                arguments=there,
                when="{{steps.promote.outputs.parameters.outcome}} == proposed",
            )
            Step(name="wait", template=wait, arguments=there)
    return made


def data_reset(settings: Settings) -> WorkflowTemplate:
    """The dummy data of an environment, made new; refused where data is real."""
    with WorkflowTemplate(
        name="gitops-data-reset",
        namespace=settings.namespace,
        entrypoint="main",
        service_account_name=settings.service_account,
        arguments=[
            Parameter(name="environment", description="one whose data is dummy"),
            Parameter(name="seed", value="", description="what is filled in; empty: the first"),
        ],
    ) as made:
        _gitops(
            settings,
            "main",
            'gitops data reset "$ENVIRONMENT" ${SEED:+--seed "$SEED"} --yes',
            ("environment", "seed"),
        )
    return made


def prune(settings: Settings) -> CronWorkflow:
    """Images of merged branches deleted, every night, by `cleanup:` of gitops.yaml."""
    with CronWorkflow(
        name="gitops-images-prune",
        namespace=settings.namespace,
        entrypoint="main",
        schedules=["17 3 * * *"],
        timezone=settings.timezone,
        concurrency_policy="Forbid",
        service_account_name=settings.service_account,
    ) as made:
        _gitops(settings, "main", "gitops images prune --yes", ())
    return made


def _gitops(
    settings: Settings, name: str, script: str, inputs: tuple[str, ...], outcome: str | None = None
) -> Container:
    """A step that runs gitops; exit code 75 says that nothing is wrong but the moment: again."""
    outputs = [Parameter(name="answer", value_from=ValueFrom(path=ANSWER, default="{}"))]
    if outcome is not None:
        outputs.append(Parameter(name=outcome, value_from=ValueFrom(path=OUTCOME, default="")))
    return Container(
        name=name,
        image=settings.image,
        command=["sh", "-ec"],
        args=[script],
        inputs=_inputs(*inputs) or None,
        outputs=outputs,
        env=[
            Env(name="GITOPS_REPO", value=settings.repository),
            Env(name="ANSWER", value=ANSWER),
            Env(name="OUTCOME", value=OUTCOME),
            *_environment(*inputs),
        ],
        env_from=[SecretEnvFrom(name=settings.secret, optional=True)],
        retry_strategy=RetryStrategy(limit=2, expression="asInt(lastRetry.exitCode) == 75"),
    )


def _keep(command: str, *, outcome: bool = False) -> str:
    then = f"{_TELL_OUTCOME}; " if outcome else ""
    return _KEPT.format(command=command, then=then)


def _inputs(*names: str) -> list[Parameter]:
    return [Parameter(name=name) for name in names]


def _environment(*names: str) -> list[Env]:
    return [Env(name=name.upper(), value=f"{{{{inputs.parameters.{name}}}}}") for name in names]


def _some(given: dict[str, str], *names: str) -> dict[str, str]:
    return {name: given[name] for name in names}


def write(settings: Settings, folder: Path) -> None:
    """Write each workflow as a YAML file of its own."""
    for one in definitions(settings):
        (folder / f"{one.name}.yaml").write_text(one.to_yaml(), encoding="utf-8")


if __name__ == "__main__":
    write(SETTINGS, Path(__file__).parent)
