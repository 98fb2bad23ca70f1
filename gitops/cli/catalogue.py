"""Every command: its file, its sentence, its place in `gitops --help`, and three examples.

Loads nothing, so that help and completion need no command's file. The examples are on the sample
that `gitops init` writes; at most 76 columns, so that help keeps them whole at 80.
"""

from __future__ import annotations

from collections.abc import Mapping

VERBS: Mapping[str, tuple[str, str]] = {
    "deploy": (
        "deploy",
        "Put images into environments: named ones (--to), or those that follow a branch (--ref).",
    ),
    "promote": (
        "promote",
        "Carry the images of an environment to the next one, name, tag and digest together.",
    ),
    "rollback": (
        "rollback",
        "Restore an earlier release as a new commit, and hold the environment.",
    ),
    "undo": (
        "undo",
        "Take back the newest rollback: images and hold as they were before it.",
    ),
    "wait": ("wait", "Follow Argo CD until a release is live and Healthy, or is not going to be."),
    "set-image": (
        "deploy",
        "Edit one local kustomization in place: no Git, no policy, only the bytes of the value.",
    ),
    "status": (
        "read",
        "Show what is where, since when, by whom, and which holds and proposals stand.",
    ),
    "history": ("read", "Show the releases of an environment, newest first."),
    "diff": (
        "read",
        "Show which images differ between two environments or releases; exit 1 when any does.",
    ),
    "insights": (
        "insights",
        "Show how releases went, in numbers: how often, how fast, how many were taken back.",
    ),
    "images": (
        "images",
        "Images in their registries: what they are, where they run, which may go.",
    ),
    "data": (
        "data",
        "Which databases the environments reach, and dummy data made new.",
    ),
    "approve": (
        "approve",
        "Merge the open proposal of an environment, after asking policy again as of now.",
    ),
    "close": (
        "approve",
        "Drop the proposal of an environment, its branch and pull request; nothing is merged.",
    ),
    "qa": (
        "qa",
        "Record QA's word on one release: it counts for its whole set of images, and no other.",
    ),
    "hold": (
        "hold",
        "Keep automation away from an environment, or from all (--all), until `gitops resume`.",
    ),
    "resume": (
        "hold",
        "Lift the hold of an environment, or of all (--all), so that automation may write again.",
    ),
    "release": ("release", "Release branches of the source repositories."),
    "validate": ("validate", "Check gitops.yaml, every overlay and every hold."),
    "check": (
        "check",
        "Report commits that change a protected environment without anybody's word.",
    ),
    "init": (
        "init",
        "Write gitops.yaml for the overlays that are there, else a whole sample; never overwrites.",
    ),
    "doctor": (
        "doctor",
        "Say what is missing here for this repository, and how to get it; exit 3 when anything is.",
    ),
    "config": ("config", "Edit gitops.yaml, with every comment where it was."),
    "schema": ("read", "Print the JSON Schema of gitops.yaml, for editors."),
    "credential": (
        "credential",
        "Answer Git as a credential helper, with a token of a GitHub App.",
    ),
    "completion": (
        "help",
        "Print the script that completes commands, options and names in a shell.",
    ),
    "serve": (
        "serve",
        "Serve the page: what runs where, and the ways to change it, for people with a browser.",
    ),
    "watch": (
        "wait",
        "Watch environments, and write what becomes of their releases to the ledger.",
    ),
    "notify": (
        "notify",
        "Tell each channel of `notify:` what happened since it was told last; for cron, or a job.",
    ),
    "alerts": (
        "alerts",
        "Alerts of monitoring: what would be done about one.",
    ),
    "workflow": (
        "workflow",
        "Workflows of Argo Workflows: a team's first ones, submitted, followed, resumed.",
    ),
    "demo": (
        "init",
        "Tell the whole story on a throw-away repository, printing each command that it runs.",
    ),
    "help": ("help", "Show how gitops, or one of its commands, is used."),
    "version": ("help", "Print the version."),
}
"""Command -> (module of `gitops.cli.commands`, first sentence), in the order of the sections."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Every day": ("deploy", "promote", "rollback", "undo", "wait", "set-image"),
    "Look": ("status", "history", "diff", "insights", "images", "data"),
    "People": ("approve", "close", "qa", "hold", "resume", "release"),
    "Check": ("validate", "check"),
    "Set up": ("init", "doctor", "config", "schema", "credential", "completion"),
    "Keep running": ("serve", "watch", "notify", "alerts", "workflow"),
    "Learn": ("demo", "help", "version"),
}
"""Section of `gitops --help` -> its commands; tests/cli/test_lazy_group.py compares."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "deploy": (
        "gitops deploy shop/api:1.5.0 --to dev",
        "gitops deploy shop/api:1.5.0 --ref main --commit 5f2c9ab1 --wait",
        "gitops deploy shop/api:1.5.0 --to test --dry-run",
    ),
    "promote": (
        "gitops promote --to prod",
        "gitops promote shop/api --from dev --to test",
        "gitops promote --eligible",
    ),
    "rollback": (
        "gitops rollback prod",
        "gitops rollback prod --to 1.4.1 --reason 'INC-42: checkout fails'",
        "gitops rollback dev --image shop/api --no-hold --yes",
    ),
    "undo": (
        "gitops undo prod",
        "gitops undo prod --dry-run",
        "gitops undo prod --reason 'the rollback was not needed' --yes",
    ),
    "wait": (
        "gitops wait prod",
        "gitops wait stage --soak 5m --timeout 10m",
        "gitops wait --for dev=1.5.0",
    ),
    "set-image": (
        "gitops set-image overlays/dev shop/api:1.5.0",
        "gitops set-image overlays/dev shop/api:1.5.0 --dry-run",
        "gitops set-image overlays/dev shop/worker:2.0.0 --add",
    ),
    "status": (
        "gitops status",
        "gitops status stage prod",
        "gitops status -o json",
    ),
    "history": (
        "gitops history prod",
        "gitops history prod --limit 5",
        "gitops history prod --limit 0 -o json",
    ),
    "diff": (
        "gitops diff stage prod",
        "gitops diff prod --since stable",
        "gitops diff prod@1.4.1 stage",
    ),
    "insights": (
        "gitops insights",
        "gitops insights prod --since 30d -o json",
        "gitops insights --html insights.html --csv insights.csv",
    ),
    "images tag": (
        "gitops images tag --ref feature/login --commit 5f2c9ab1",
        "gitops images tag --ref auto",
        "gitops images tag --ref main --commit 5f2c9ab1 --check main-5f2c9ab",
    ),
    "images list": (
        "gitops images list",
        "gitops images list shop/api",
        "gitops images list shop/api --limit 0 -o json",
    ),
    "images show": (
        "gitops images show shop/api:1.5.0",
        "gitops images show shop/api:1.5.0 -o json",
        "gitops images show registry.example.com/shop/api:1.5.0",
    ),
    "images find": (
        "gitops images find shop/api:1.5.0",
        "gitops images find 1.5.0",
        "gitops images find shop/api -o json",
    ),
    "images prune": (
        "gitops images prune",
        "gitops images prune shop/api --yes",
        "gitops images prune --yes --max 500 -o json",
    ),
    "images update": (
        "gitops images update --dry-run",
        "gitops images update shop/api",
        "gitops images update -o json",
    ),
    "data check": (
        "gitops data check",
        "gitops data check prod --annotations github",
        "gitops data check -o json",
    ),
    "data reset": (
        "gitops data reset dev",
        "gitops data reset test --seed empty --yes",
        "gitops data reset dev --dry-run",
    ),
    "approve": (
        "gitops approve prod",
        "gitops approve prod --head 4b1d9ab1",
        "gitops approve prod --dry-run",
    ),
    "close": (
        "gitops close prod",
        "gitops close prod --reason 'it waits for the next release'",
        "gitops close prod --dry-run",
    ),
    "qa": (
        "gitops qa stage --pass",
        "gitops qa stage --pass --release newest --expect shop/api:1.5.0",
        "gitops qa stage --fail --release 9ab14b1d --note 'INC-42'",
    ),
    "hold": (
        "gitops hold prod --reason 'INC-42: checkout fails'",
        "gitops hold --all --reason 'the cluster is being moved'",
        "gitops hold prod --reason 'audit until Friday' --dry-run",
    ),
    "resume": (
        "gitops resume prod",
        "gitops resume --all",
        "gitops resume prod --dry-run",
    ),
    "release cut": (
        "gitops release cut 1.5",
        "gitops release cut 1.5 --commit 5f2c9ab1 --dry-run",
        "gitops release cut 1.5 --source shop/api",
    ),
    "release list": (
        "gitops release list",
        "gitops release list -o json",
        "gitops release list --branch main",
    ),
    "validate": (
        "gitops validate",
        "gitops validate --against origin/main",
        "gitops validate --forge",
    ),
    "check": (
        "gitops check",
        "gitops check origin/main..HEAD",
        "gitops check --annotations github",
    ),
    "init": (
        "gitops init",
        "gitops init manifests --repo-url https://git.example.com/shop/manifests",
        "gitops init --dry-run",
    ),
    "doctor": (
        "gitops doctor",
        "gitops doctor --repo https://git.example.com/shop/manifests.git",
        "gitops doctor -o json",
    ),
    "config set": (
        "gitops config set environments.prod.soak 24h",
        "gitops config set environments.stage.accepts '[\"release/{version}\"]'",
        "gitops config set registries.unavailable refuse --dry-run",
    ),
    "config unset": (
        "gitops config unset environments.prod.soak",
        "gitops config unset freeze.nights",
        "gitops config unset registries --dry-run",
    ),
    "config migrate": (
        "gitops config migrate",
        "gitops config migrate --dry-run",
        "gitops config migrate --dir manifests",
    ),
    "schema": (
        "gitops schema",
        "gitops schema > gitops.schema.json",
        "gitops schema | grep overlay",
    ),
    "credential": (
        "gitops credential get",
        "gitops credential store",
        "gitops credential erase",
    ),
    "completion": (
        "gitops completion bash",
        "gitops completion zsh > ~/.zfunc/_gitops",
        "gitops completion fish > ~/.config/fish/completions/gitops.fish",
    ),
    "serve": (
        "gitops serve",
        "gitops serve --read-only --listen 0.0.0.0:8080",
        "gitops serve --settings server.yaml",
    ),
    "watch": (
        "gitops watch",
        "gitops watch stage prod -o json",
        "gitops watch --once",
    ),
    "notify": (
        "gitops notify --settings channels.yaml",
        "gitops notify --settings channels.yaml --dry-run",
        "gitops notify --settings channels.yaml -o json",
    ),
    "alerts test": (
        "gitops alerts test body.json",
        "gitops alerts test body.json -o json",
        "gitops alerts test - -o json",
    ),
    "workflow init": (
        "gitops workflow init --image registry.example.com/gitops:1",
        "gitops workflow init ci --image registry.example.com/gitops:1",
        "gitops workflow init --image example.com/gitops:1 --namespace ci",
    ),
    "workflow run": (
        "gitops workflow run gitops-promote -p environment=prod",
        "gitops workflow run gitops-promote -p environment=prod --wait --logs",
        "gitops workflow run gitops-data-reset -p environment=dev --dry-run",
    ),
    "workflow watch": (
        "gitops workflow watch gitops-promote-x7k2p",
        "gitops workflow watch gitops-promote-x7k2p --timeout 30m",
        "gitops workflow watch gitops-promote-x7k2p --timeout 10m -o json",
    ),
    "workflow list": (
        "gitops workflow list",
        "gitops workflow list --namespace ci",
        "gitops workflow list --namespace ci -n 5 -o json",
    ),
    "workflow stop": (
        "gitops workflow stop gitops-promote-x7k2p",
        "gitops workflow stop gitops-promote-x7k2p --terminate",
        "gitops workflow stop gitops-promote-x7k2p --namespace ci",
    ),
    "workflow retry": (
        "gitops workflow retry gitops-promote-x7k2p",
        "gitops workflow retry gitops-promote-x7k2p --namespace ci",
        "gitops workflow retry gitops-promote-x7k2p -o json",
    ),
    "workflow resume": (
        "gitops workflow resume gitops-promote-x7k2p",
        "gitops workflow resume gitops-promote-x7k2p --step approval -p who=ana",
        'gitops workflow resume gitops-promote-x7k2p --refuse "not tonight"',
    ),
    "demo": (
        "gitops demo",
        "gitops demo demo-folder",
        "NO_COLOR=1 gitops demo",
    ),
    "help": (
        "gitops help",
        "gitops help rollback",
        "gitops help release cut",
    ),
    "version": (
        "gitops version",
        "gitops --version",
        "gitops version && gitops status",
    ),
}
"""Words of a command -> its examples; tests/cli/test_catalogue.py reads each of them."""
