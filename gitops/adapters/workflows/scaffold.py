"""The first files of a team's workflows: hera's Python, the YAML made from it, and their rights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from gitops.core.text.extras import extra_hint
from gitops.errors import NotFound

_BLOCK = re.compile(r"^SETTINGS = Settings\(\n.*?^\)\n", re.MULTILINE | re.DOTALL)


def workflow_files(settings: Mapping[str, str]) -> dict[str, bytes]:
    """Return name -> content of what `gitops workflow init` writes.

    Args:
        settings: the fields of `definition.Settings`.

    Raises NotFound where hera is not installed.
    """
    if find_spec("hera") is None:
        raise NotFound(
            "hera is not installed, which makes the templates", hint=extra_hint("workflows")
        )
    from gitops.adapters.workflows import definition

    made = {
        f"{one.name}.yaml": _yaml(one)
        for one in definition.definitions(definition.Settings(**settings))
    }
    source = Path(definition.__file__).read_text(encoding="utf-8")
    # Written with Python's own words for a text: whatever the settings hold, they stay texts.
    rows = "".join(f"    {name}={value!r},\n" for name, value in settings.items())
    filled = _BLOCK.sub(lambda _: f"SETTINGS = Settings(\n{rows})\n", source, count=1)
    return {
        "definition.py": filled.encode(),
        "rights.yaml": _RIGHTS.substitute(settings).encode(),
        **made,
    }


def _yaml(one: Any) -> bytes:
    text: str = one.to_yaml()
    return text.encode()


_RIGHTS = Template("""\
# What the pods of the workflows may do. gitops needs to look at Applications for `--wait` alone.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: $service_account
  namespace: $namespace
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: $service_account-steps
  namespace: $namespace
rules:
  # What every step of Argo Workflows tells its controller.
  - apiGroups: [argoproj.io]
    resources: [workflowtaskresults]
    verbs: [create, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: $service_account-steps
  namespace: $namespace
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: $service_account-steps}
subjects:
  - {kind: ServiceAccount, name: $service_account, namespace: $namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: $service_account-look
  namespace: argocd
rules:
  - apiGroups: [argoproj.io]
    resources: [applications]
    verbs: [get, list, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: $service_account-look
  namespace: argocd
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: $service_account-look}
subjects:
  - {kind: ServiceAccount, name: $service_account, namespace: $namespace}
""")
