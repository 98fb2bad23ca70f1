"""The command line of every component of the control plane, with the reasons for odd flags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster.objects import ARGOCD, ROLLOUTS

if TYPE_CHECKING:
    from cluster.plane import Plane


def kubernetes_components(plane: Plane) -> dict[str, list[str]]:
    """Return the commands of Kubernetes by name, in the order in which they are started."""
    ports, certificates = plane.ports, plane.certificates
    etcd = f"http://127.0.0.1:{ports['etcd']}"
    peer = f"http://127.0.0.1:{ports['etcd-peer']}"
    authority = str(certificates / "ca.crt")
    accounts = str(certificates / "service-accounts.key")
    served = [
        f"--tls-cert-file={certificates / 'apiserver.crt'}",
        f"--tls-private-key-file={certificates / 'apiserver.key'}",
    ]

    def program(name: str) -> str:
        return str(plane.program(name))

    def kubeconfig(name: str) -> str:
        return f"--kubeconfig={plane.folder / f'{name}.kubeconfig'}"

    return {
        "etcd": [
            program("etcd"),
            *("--name", "tests", "--data-dir", str(plane.folder / "etcd")),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"tests={peer}"),
            "--unsafe-no-fsync",  # what is in it is thrown away
            *("--log-level", "warn"),
        ],
        "kube-apiserver": [
            program("kube-apiserver"),
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
            f"--secure-port={ports['kube-apiserver']}",
            "--endpoint-reconciler-type=none",
            f"--etcd-servers={etcd}",
            *served,
            f"--client-ca-file={authority}",
            "--authorization-mode=Node,RBAC",
            f"--service-account-signing-key-file={accounts}",
            f"--service-account-key-file={accounts}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--enable-priority-and-fairness=false",
            "--shutdown-delay-duration=0s",
            f"--cert-dir={plane.folder / 'tmp'}",
        ],
        "kube-controller-manager": [
            program("kube-controller-manager"),
            kubeconfig("kube-controller-manager"),
            *("--bind-address=127.0.0.1", f"--secure-port={ports['kube-controller-manager']}"),
            *("--leader-elect=false", "--use-service-account-credentials=true"),
            # Without metrics every HorizontalPodAutoscaler would seem degraded to Argo CD.
            "--controllers=*,-horizontal-pod-autoscaler-controller",
            *("--kube-api-qps=200", "--kube-api-burst=400"),
            f"--root-ca-file={authority}",
            f"--service-account-private-key-file={accounts}",
            f"--cert-dir={plane.folder / 'tmp'}",
        ],
        "kube-scheduler": [
            program("kube-scheduler"),
            kubeconfig("kube-scheduler"),
            *("--bind-address=127.0.0.1", f"--secure-port={ports['kube-scheduler']}"),
            "--leader-elect=false",
            f"--cert-dir={plane.folder / 'tmp'}",
        ],
        "kwok": [
            program("kwok"),
            f"--kubeconfig={plane.kubeconfig}",
            f"--config={plane.built['kwok'] / 'stages.yaml'}",
            # Off by default; without leases every node is lost every 50 seconds.
            "--node-lease-duration-seconds=40",
            # Nodes and pods of tests that play a kubelet themselves (process_kubelet.py).
            "--disregard-status-with-annotation-selector=kwok.x-k8s.io/status=custom",
            *("--manage-all-nodes=true", "--cidr=10.244.0.0/16", "--node-ip=127.0.0.1"),
            f"--server-address=127.0.0.1:{ports['kwok']}",
            *served,
        ],
    }


def argocd_components(plane: Plane) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the commands of Argo CD and Rollouts, and the environment that they need."""
    ports, folder = plane.ports, plane.folder / "argocd"
    for name in ("tls", "ssh", "gpg", "gpg-source", "plugins"):
        (folder / name).mkdir(parents=True)
    (folder / "ssh" / "ssh_known_hosts").touch()
    for name in ("repo-server", "server", "application-controller", "applicationset-controller"):
        (plane.tools / f"argocd-{name}").symlink_to(plane.program("argocd"))
    _write_ask_pass(plane.tools / "git-ask-pass.sh")
    environ = {
        "KUBECONFIG": str(plane.kubeconfig),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_GNUPGHOME": str(folder / "gpg"),
        "ARGOCD_GPG_DATA_PATH": str(folder / "gpg-source"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
        # Seen from the plane's folder, where all run: the whole path may be too long for a socket.
        "ARGOCD_ASK_PASS_SOCK": "argocd/ask-pass.sock",
        "GRPC_ENABLE_TXT_SERVICE_CONFIG": "false",
    }
    redis = f"--redis=127.0.0.1:{ports['redis']}"
    namespace = f"--namespace={ARGOCD}"
    repo_server = f"127.0.0.1:{ports['repo-server']}"
    to_repo_server = [f"--repo-server={repo_server}", "--repo-server-plaintext"]

    def component(name: str) -> str:
        return str(plane.tools / name)

    return {
        "argocd-repo-server": [
            component("argocd-repo-server"),  # it alone has no --namespace
            *(f"--port={ports['repo-server']}", "--address=127.0.0.1", redis, "--disable-tls"),
            *("--metrics-address=127.0.0.1", f"--metrics-port={ports['repo-server-metrics']}"),
            "--revision-cache-expiration=5s",
        ],
        "argocd-application-controller": [
            component("argocd-application-controller"),
            *(namespace, redis, *to_repo_server),
            f"--metrics-port={ports['application-controller-metrics']}",
            *("--app-resync=10", "--app-resync-jitter=0", "--self-heal-timeout-seconds=1"),
            *("--status-processors=10", "--operation-processors=5"),
        ],
        "argocd-server": [
            component("argocd-server"),
            *(namespace, redis, *to_repo_server, "--insecure"),
            *(f"--port={ports['server']}", "--address=127.0.0.1"),
            *("--metrics-address=127.0.0.1", f"--metrics-port={ports['server-metrics']}"),
            "--dex-server=http://127.0.0.1:1",
            "--enable-proxy-extension",
        ],
        "argocd-applicationset-controller": [
            component("argocd-applicationset-controller"),
            *(namespace, "--enable-leader-election=false"),
            *(f"--argocd-repo-server={repo_server}", "--repo-server-plaintext"),
            f"--metrics-addr=127.0.0.1:{ports['applicationset-metrics']}",
            f"--probe-addr=127.0.0.1:{ports['applicationset-probe']}",
            f"--webhook-addr=127.0.0.1:{ports['applicationset-webhook']}",
        ],
        "argo-rollouts": [
            str(plane.program("rollouts-controller")),
            *(f"--kubeconfig={plane.kubeconfig}", f"--namespace={ROLLOUTS}"),
            "--leader-elect=false",
            f"--metricsPort={ports['rollouts-metrics']}",
            f"--healthzPort={ports['rollouts-health']}",
        ],
    }, environ


def _write_ask_pass(path: Path) -> None:
    """Write what Argo CD's Git asks for user and password; its image brings such a script."""
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        'Username*) printf "%s\\n" "$GIT_USERNAME" ;;\n'
        'Password*) printf "%s\\n" "$GIT_PASSWORD" ;;\n'
        "esac\n"
    )
    path.chmod(0o755)
