"""Which programs the tests run for real, and how each is built from its published Go module.

A *set* is what one pinned module of `modules/` builds: its programs, and the files of the module
that they need at run time, which are copied beside them so that a built set needs no Go. The
versions stand in the go.mod files; sets are apart because their k8s.io versions differ.
"""

from __future__ import annotations

import glob
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True)
class ProgramSet:
    """One module of `modules/` and what is built from it.

    Attributes:
        name: of the folder in `modules/`.
        minutes: about how long a cold build takes on two cores.
        programs: file name -> Go package.
        module: the published module that the version and the copied files are taken from.
        variables: linker variables, with `{version}` and `{major}` and `{minor}` of the module.
        tags: Go build tags.
        cgo: True when a C compiler is needed.
        copies: name in the set -> files or folders of the module, patterns; a target that ends
            in `.yaml` gets them as the documents of one file, in this order.
        own: name in the set -> file of `modules/NAME/`, appended when the target exists.
    """

    name: str
    minutes: float
    programs: Mapping[str, str]
    module: str
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    cgo: bool = False
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum are."""
        return MODULES / self.name

    @property
    def version(self) -> str:
        """The pinned version of `module`, as go.mod has it (`v1.36.3`)."""
        pinned = re.search(
            rf"^\s*(?:require\s+)?{re.escape(self.module)} (v\S+)",
            (self.folder / "go.mod").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        if pinned is None:
            raise ValueError(f"{self.folder / 'go.mod'} does not pin {self.module}")
        return pinned[1]

    @property
    def go(self) -> tuple[int, ...]:
        """The oldest Go that go.mod allows, as numbers."""
        text = (self.folder / "go.mod").read_text(encoding="utf-8")
        line = re.search(r"^go (\d+(?:\.\d+)*)", text, re.MULTILINE)
        return tuple(map(int, line[1].split("."))) if line else (1,)

    def linker_flags(self) -> str:
        """Return the value of -ldflags."""
        version = self.version
        major, minor = version.lstrip("v").split(".")[:2]
        words = ["-s", "-w"]
        for name, value in self.variables.items():
            filled = value.format(
                version=version, number=version.lstrip("v"), major=major, minor=minor
            )
            words += ["-X", f"{name}={filled}"]
        return " ".join(words)


# The build says when it was made and from what; a pinned module knows neither.
_WHEN = "2026-01-01T00:00:00Z"
_COMMIT = "0" * 40

_KUBERNETES_VERSION = {
    f"{package}.{name}": value
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in {
        "gitVersion": "{version}",
        "gitMajor": "{major}",
        "gitMinor": "{minor}",
        "gitTreeState": "clean",
        "gitCommit": _COMMIT,
        "buildDate": _WHEN,
    }.items()
}

GITEA = ProgramSet(
    name="gitea",
    minutes=3,
    programs={"gitea": "code.gitea.io/gitea"},
    module="code.gitea.io/gitea",
    variables={"main.Version": "{number}"},
    tags=("sqlite", "sqlite_unlock_notify"),
    cgo=True,
    copies={
        "static/templates": ("templates",),
        "static/options": ("options",),
        "static/public": ("public",),
    },
)

ACTIONS = ProgramSet(
    name="actions",
    minutes=0.6,
    # The engine of Gitea's act_runner, which itself is no module that can be had.
    programs={"act": "github.com/nektos/act"},
    module="github.com/nektos/act",
)

ETCD = ProgramSet(
    name="etcd",
    minutes=0.6,
    programs={"etcd": "go.etcd.io/etcd/server/v3"},
    module="go.etcd.io/etcd/server/v3",
)

KUBERNETES = ProgramSet(
    name="k8s",
    minutes=3.7,
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    },
    module="k8s.io/kubernetes",
    variables=_KUBERNETES_VERSION,
)

KWOK = ProgramSet(
    name="kwok",
    minutes=0.8,
    programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    module="sigs.k8s.io/kwok",
    variables={"sigs.k8s.io/kwok/pkg/consts.Version": "{version}"},
    copies={
        "stages.yaml": (
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            "kustomize/stage/pod/fast/pod-ready.yaml",
            "kustomize/stage/pod/fast/pod-complete.yaml",
            "kustomize/stage/pod/fast/pod-delete.yaml",
        ),
    },
    own={"stages.yaml": "stages-extra.yaml"},
)

TOOLS = ProgramSet(
    name="tools",
    minutes=0.1,
    programs={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
    module="sigs.k8s.io/kustomize/kustomize/v5",
    # Argo CD parses the answer of `kustomize version`.
    variables={"sigs.k8s.io/kustomize/api/provenance.version": "{version}"},
)

ARGOCD = ProgramSet(
    name="argocd",
    minutes=2.8,
    programs={"argocd": "github.com/argoproj/argo-cd/v3/cmd"},
    module="github.com/argoproj/argo-cd/v3",
    variables={
        f"github.com/argoproj/argo-cd/v3/common.{name}": value
        for name, value in {
            "version": "{number}",
            "buildDate": _WHEN,
            "gitCommit": _COMMIT,
            "gitTreeState": "clean",
            "kubectlVersion": "v0.34.0",
        }.items()
    },
    copies={
        "crds": ("manifests/crds/*-crd.yaml",),
        "config": ("manifests/base/config/*.yaml",),
    },
)

ROLLOUTS = ProgramSet(
    name="rollouts",
    minutes=1.8,
    programs={"rollouts-controller": "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"},
    module="github.com/argoproj/argo-rollouts",
    variables={"github.com/argoproj/argo-rollouts/utils/version.version": "{version}"},
    copies={"crds": ("manifests/crds/*-crd.yaml",)},
)

_ARGO_WORKFLOWS = "github.com/argoproj/argo-workflows/v4"

WORKFLOWS = ProgramSet(
    name="workflows",
    minutes=4.7,
    programs={"workflow-controller": f"{_ARGO_WORKFLOWS}/cmd/workflow-controller"},
    module=_ARGO_WORKFLOWS,
    variables={
        f"{_ARGO_WORKFLOWS}.{name}": value
        for name, value in {
            "version": "{version}",
            "gitTag": "{version}",
            "gitTreeState": "clean",
            "gitCommit": _COMMIT,
        }.items()
    },
    copies={"crds": ("manifests/base/crds/minimal/argoproj.io_*.yaml",)},
)

GROUPS: Mapping[str, tuple[ProgramSet, ...]] = {
    "gitea": (GITEA,),
    "actions": (ACTIONS,),
    "control-plane": (ETCD, KUBERNETES, KWOK, TOOLS, ARGOCD, ROLLOUTS),
    "workflows": (WORKFLOWS,),
}
"""What `scripts/servers build` takes by name."""

SYSTEM_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "gitea": (),
    "actions": (),
    "control-plane": ("redis-server", "openssl"),
    "workflows": (),
}
"""What a group also runs, and the distribution has."""

LANE_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "ssh": ("sshd", "ssh", "ssh-keygen"),
    "tls": ("openssl",),
    "registry": ("docker-registry",),
    "database": ("postgres", "initdb", "psql"),
    "monitoring": ("prometheus", "promtool", "prometheus-alertmanager"),
    "browser": ("chromium-headless-shell",),
}
"""What the lanes that build nothing need of the distribution."""

PACKAGES = {
    **{"sshd": "openssh-server", "ssh": "openssh-client", "ssh-keygen": "openssh-client"},
    **dict.fromkeys(("postgres", "initdb", "psql"), "postgresql"),
    "promtool": "prometheus",
}
"""Debian's package of a program, where it is called otherwise."""


def find_program(name: str) -> str | None:
    """Return the path of a program of the distribution; servers are not on everybody's PATH."""
    system = ["/usr/sbin", "/usr/local/sbin", "/sbin"]
    system += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return shutil.which(name) or shutil.which(name, path=":".join(system))
