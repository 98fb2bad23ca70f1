"""Every way of a workload to a database, and what the rules about data say of it."""

from __future__ import annotations

import base64

import pytest

from gitops.core.data.classes import Classes
from gitops.core.data.findings import DataFinding, Overlaid
from gitops.core.data.manifests import read_manifests
from gitops.core.data.rules import (
    judge_environments,
    judge_overlay,
    settle,
    strange_namespaces,
)
from gitops.core.environments.environment import Config, Database, Environment
from gitops.core.environments.rows import DatabaseRow
from gitops.core.text.wildcards import glob
from gitops.errors import ManifestError

ROWS = (
    DatabaseRow(
        "real",
        hosts=("*.prod-db.example.com", "10.0.7.*"),
        secrets=("shop-db",),
        stores=("vault/prod/*",),
        keys=("DATABASE_KIND=billing", "PROD_*"),
    ),
    DatabaseRow("dummy", hosts=("dummy-db", "*.example.com"), secrets=("dummy-db",)),
)
REAL = "shop.prod-db.example.com"


def judge(
    text: str, own: Database | None = "dummy", rows: tuple[DatabaseRow, ...] = ROWS
) -> list[DataFinding]:
    row = Environment("dev", "overlays/dev", database=own)
    found = judge_overlay(Overlaid(row, read_manifests(text), Classes(rows)))
    return list(settle(found, {}))


def said(text: str, own: Database | None = "dummy", **more: tuple[DatabaseRow, ...]) -> list[str]:
    return [f"{one.rule}: {one.message}" for one in judge(text, own, **more)]


def pod(inside: str, kind: str = "Deployment", name: str = "api") -> str:
    spec = "\n".join(f"      {line}" for line in inside.strip("\n").split("\n"))
    return f"kind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n{spec}\n"


def container(inside: str, key: str = "containers") -> str:
    lines = "\n".join(f"  {line}" for line in inside.strip("\n").split("\n"))
    return pod(f"{key}:\n- name: api\n{lines}")


HOSTS = {
    "env": container(f"env: [{{name: DATABASE_HOST, value: {REAL}}}]"),
    "env, big letters, dot at the end": container(
        f"env: [{{name: DATABASE_HOST, value: {REAL.upper()}.}}]"
    ),
    "env, port": container(f'env: [{{name: X, value: "{REAL}:5432"}}]'),
    "DSN": container(f"env: [{{name: X, value: 'postgres://$(U):$(P)@{REAL}/shop?ssl=1'}}]"),
    "percent encoding": container("env: [{name: X, value: 'pg://shop%2Eprod-db%2Eexample%2Ecom'}]"),
    "put together": container(
        "env: [{name: A, value: shop.prod-db}, {name: B, value: '$(A).example.com'}]"
    ),
    "argument": container(f"args: ['--db=host={REAL} port=5432']"),
    "argument, put together": container(
        "env: [{name: A, value: shop.prod-db}]\nargs: ['--db', '$(A).example.com']"
    ),
    "init container": container(f"env: [{{name: X, value: {REAL}}}]", "initContainers"),
    "address": container("env: [{name: X, value: '10.0.7.12'}]"),
    "ConfigMap": f"kind: ConfigMap\nmetadata: {{name: x}}\ndata: {{a: {REAL}}}\n",
    "file in a ConfigMap": "kind: ConfigMap\nmetadata: {name: x}\ndata:\n  app.ini: |\n"
    f"    [db]\n    host = {REAL}\n",
    "Secret": "kind: Secret\nmetadata: {name: x, labels: {gitops.dev/data-class: dummy}}\n"
    f"data: {{a: {base64.b64encode(REAL.encode()).decode()}}}\n",
    "binaryData": "kind: ConfigMap\nmetadata: {name: x}\n"
    f"binaryData: {{a: {base64.b64encode(REAL.encode()).decode()}}}\n",
    "ExternalName": f"kind: Service\nmetadata: {{name: db}}\nspec: {{externalName: {REAL}}}\n",
    "any kind": f"kind: Widget\nmetadata: {{name: w}}\nspec: {{deep: [{{er: '{REAL}'}}]}}\n",
    "List": f"kind: List\nitems:\n- kind: Widget\n  metadata: {{name: w}}\n  spec: {{a: {REAL}}}\n",
    "CronJob": "kind: CronJob\nmetadata: {name: c}\nspec:\n  jobTemplate:\n    spec:\n"
    f"      template:\n        spec:\n          containers: [{{name: c, args: ['{REAL}']}}]\n",
}


@pytest.mark.parametrize("way", HOSTS)
def test_real_host_in_dummy_environment(way):
    """A dummy environment that names a real host, in whatever way, is told once."""
    found = judge(HOSTS[way])

    assert ["class"] == [one.rule for one in found]
    assert "a dummy environment reaches a real database: host" in found[0].message


@pytest.mark.parametrize("way", HOSTS)
def test_real_host_in_real_environment(way):
    """The same is right where the data is real."""
    text = HOSTS[way].replace("data-class: dummy", "data-class: real")

    assert [] == [one for one in judge(text, "real") if one.rule == "class"]


def test_the_pattern_that_says_more_counts():
    """*.example.com is dummy, and yet shop.prod-db.example.com is real; web.example.com is not."""
    classes = Classes(ROWS)

    assert "real" == classes.host(REAL).class_
    assert "dummy" == classes.host("web.example.com").class_
    assert classes.host("elsewhere.org") is None


def test_a_word_is_no_host():
    """A name without a dot counts where an address stands: as the whole value, in a URL."""
    words = container("args: ['dummy-db is what dev has', 'dummy-db']\nimage: dummy-db")
    prose = "kind: Widget\nmetadata: {name: dummy-db}\nspec: {about: dummy-db}\n"
    url = container("env: [{name: X, value: 'postgres://u@dummy-db/shop'}]")

    assert [] == said(prose, "real")
    assert 1 == len(said(words, "real"))  # the second argument
    assert 1 == len(said(url, "real"))


SECRETS = {
    "env": container(
        "env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: shop-db, key: p}}}]"
    ),
    "envFrom": container("envFrom: [{secretRef: {name: shop-db}}]"),
    "volume": pod("containers: [{name: a}]\nvolumes: [{name: v, secret: {secretName: shop-db}}]"),
    "projected": pod(
        "containers: [{name: a}]\n"
        "volumes: [{name: v, projected: {sources: [{secret: {name: shop-db}}]}}]"
    ),
    "csi": pod(
        "containers: [{name: a}]\n"
        "volumes: [{name: v, csi: {nodePublishSecretRef: {name: shop-db}}}]"
    ),
    "checksum": container("envFrom: [{secretRef: {name: shop-db-2456789bcd}}]"),
    "any kind": "kind: Cluster\nmetadata: {name: pg}\nspec: {superuserSecret: {name: shop-db}}\n",
    "chart": "kind: Widget\nmetadata: {name: pg}\nspec: {auth: {existingSecret: shop-db}}\n",
}


@pytest.mark.parametrize("way", SECRETS)
def test_real_secret_in_dummy_environment(way):
    """A Secret that opens a real database is told, whatever field names it."""
    (found,) = judge(SECRETS[way])

    assert "class" == found.rule
    assert "reaches a real database: Secret shop-db" in found.message
    assert [] == said(SECRETS[way], "real")


def test_pull_secrets_and_stores_open_no_database():
    """Secrets that images are pulled with, and stores, are others."""
    text = pod("containers: [{name: a}]\nimagePullSecrets: [{name: shop-db}]")
    store = "kind: Widget\nmetadata: {name: w}\nspec: {secretStoreRef: {name: shop-db}}\n"

    assert [] == said(text) + said(store)


EXTERNAL = """
kind: ExternalSecret
metadata: {name: api-db}
spec:
  secretStoreRef: {name: vault}
  target: {name: made}
  data: [{remoteRef: {key: KEY}}]
"""


def test_outside_secret():
    """Where an outside secret is kept tells its class, and that of the Secret that it becomes."""
    real = EXTERNAL.replace("KEY", "prod/shop")
    uses = container("envFrom: [{secretRef: {name: made}}]")

    first, second = said(f"{real}---\n{uses}")
    assert "outside secret vault/prod/shop, in ExternalSecret api-db" in first
    assert "Secret made, in Deployment api" in second
    assert [] == said(f"{real}---\n{uses}", "real")


def test_outside_secret_of_no_class():
    """One for a database that no row knows is told, if rows know any at all."""
    unknown = EXTERNAL.replace("KEY", "somewhere").replace("made", "orders-db")

    assert ["unmarked: no row of `databases:` knows the outside secret vault/somewhere"] == [
        one.partition(", in")[0] for one in said(unknown)
    ]
    assert [] == said(unknown, rows=(DatabaseRow("dummy", hosts=("x",)),))


def test_other_makers_of_secrets():
    """A SecretProviderClass and a VaultStaticSecret are read as well."""
    csi = (
        "kind: SecretProviderClass\nmetadata: {name: p}\nspec:\n  provider: vault\n  parameters:\n"
        "    objects: |\n      - objectName: prod/shop\n        secretKey: x\n"
    )
    operator = (
        "kind: VaultStaticSecret\nmetadata: {name: p}\n"
        "spec: {mount: vault, path: prod/shop, destination: {name: made}}\n"
    )

    assert 1 == len(said(csi))
    assert 1 == len(said(operator))


def test_settings():
    """A setting may tell the class by itself, by its name or with its value."""
    kind = container("env: [{name: DATABASE_KIND, value: billing}]")
    name = "kind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.env: |\n    PROD_URL=x\n    b=c\n"

    assert "setting DATABASE_KIND" in said(kind)[0]
    assert "setting PROD_URL" in said(name)[0]
    assert [] == said(kind.replace("billing", "shop"))


UNMARKED = {
    "host": container("env: [{name: DATABASE_HOST, value: db.elsewhere.org}]"),
    "URL": container("env: [{name: X, value: 'mysql://u@db.elsewhere.org/x'}]"),
    "JDBC": container("env: [{name: X, value: 'jdbc:postgresql://db.elsewhere.org/x'}]"),
    "Oracle": container("env: [{name: X, value: 'jdbc:oracle:thin:@db.elsewhere.org:1521/x'}]"),
    "argument": container("args: ['--dsn=postgres://db.elsewhere.org/x']"),
    "ConfigMap": "kind: ConfigMap\nmetadata: {name: x}\ndata: {PGHOST: db.elsewhere.org}\n",
    "Secret by its name": container("envFrom: [{secretRef: {name: orders-postgres}}]"),
    "Secret by what it is for": container(
        "env: [{name: DB_USER, valueFrom: {secretKeyRef: {name: orders, key: u}}}]"
    ),
    "label": "kind: Secret\nmetadata: {name: x, labels: {gitops.dev/data-class: fake}}\n",
}


@pytest.mark.parametrize("way", UNMARKED)
@pytest.mark.parametrize("own", ["dummy", "real"])
def test_unmarked(way, own):
    """What leads to a database of no class is an error: nobody can say that it is right."""
    (found,) = judge(UNMARKED[way], own)

    assert ("unmarked", "error") == (found.rule, found.level)


def test_what_is_no_database():
    """Other hosts, other Secrets, files and loopback are nobody's matter."""
    text = container(
        "env:\n"
        "- {name: API_URL, value: 'https://api.elsewhere.org'}\n"
        "- {name: DATABASE_PORT, value: '5432'}\n"
        "- {name: DATABASE_URL, value: 'sqlite:///data/x.db'}\n"
        "- {name: REDIS_HOST, value: localhost}\n"
        "- {name: TOKEN, valueFrom: {secretKeyRef: {name: api-token, key: t}}}\n"
    )

    assert [] == said(text)


def test_labels():
    """A label marks what it is on; it is told where it is of the other class, or says otherwise
    than gitops.yaml."""
    secret = "kind: SealedSecret\nmetadata: {name: NAME, labels: {gitops.dev/data-class: CLASS}}\n"
    uses = container("envFrom: [{secretRef: {name: orders-db}}]")
    mine = secret.replace("NAME", "orders-db").replace("CLASS", "dummy")
    other = secret.replace("NAME", "orders-db").replace("CLASS", "real")
    lying = secret.replace("NAME", "shop-db").replace("CLASS", "dummy")

    assert [] == said(f"{mine}---\n{uses}")
    assert 2 == len(said(f"{other}---\n{uses}"))  # the Secret, and who uses it
    assert "it is labelled dummy, and shop-db is real in gitops.yaml" in said(lying)[0]


def test_service_of_the_build():
    """A host that is a Service of this build with a label is known by it."""
    service = "kind: Service\nmetadata: {name: pg, labels: {gitops.dev/data-class: dummy}}\n"
    uses = container("env: [{name: DATABASE_HOST, value: pg}]")

    assert [] == said(f"{service}---\n{uses}")
    assert 1 == len(said(uses))


def test_namespaces_of_the_other_class():
    """A Service in a namespace that only the other class has is told; a shared one is not."""
    text = container("env: [{name: X, value: 'http://api.shop-prod.svc.cluster.local/v1'}]")
    dev = Environment("dev", "overlays/dev", database="dummy")
    prod = Environment("prod", "overlays/prod", database="real")
    spaces = {dev: {"shop-dev", "shared"}, prod: {"shop-prod", "shared"}}
    found = judge_overlay(Overlaid(dev, read_manifests(text), Classes(ROWS)))

    strangers = strange_namespaces(spaces, dev)
    assert {"shop-prod": "prod"} == strangers
    (told,) = settle(found, strangers)
    assert "namespace shop-prod: api.shop-prod.svc.cluster.local" in told.message
    assert told.message.endswith("which is that of prod")
    assert [] == list(settle(found, {}))


SECRET = "kind: Secret\nmetadata: {name: NAME}\nstringData: {password: 'hunter2 hunter2'}\n"


def test_secret_in_clear():
    """A Secret with its values is an error where data is real, and none where it is dummy's."""
    (real,) = judge(SECRET.replace("NAME", "mail"), "real")
    (other,) = judge(SECRET.replace("NAME", "mail"))

    assert ("clear", "error") == (real.rule, real.level)
    assert ("clear", "warning") == (other.rule, other.level)
    assert [] == judge(SECRET.replace("NAME", "dummy-db"))
    assert [] == judge(SECRET.replace("hunter2 hunter2", "ENC[AES256_GCM,data:x]"), "real")


def test_passwords_in_clear():
    """A password in a URL, and the value of a setting that is one, are told where data is real."""
    url = container(f"args: ['postgres://u:hunter2@{REAL}/x']")
    setting = container("env: [{name: SMTP_PASSWORD, value: hunter2}]")
    file = container("env: [{name: SMTP_PASSWORD_FILE, value: /run/x}, {name: K, value: v}]")

    assert ["clear"] == [one.rule for one in judge(url, "real")]
    assert ["clear"] == [one.rule for one in judge(setting, "real")]
    assert [] == judge(file, "real")
    assert [] == judge(container("args: ['postgres://u:hunter2@dummy-db/x']"))


def test_no_value_of_a_secret_is_shown():
    """Whatever is found, a password never stands in a message, nor a host that a Secret holds."""
    texts = [
        SECRET.replace("NAME", "mail"),
        container(f"args: ['postgres://u:hunter2@{REAL}/x']"),
        container("env: [{name: SMTP_PASSWORD, value: hunter2}]"),
        "kind: Secret\nmetadata: {name: x}\nstringData: {DATABASE_URL: 'pg://a:hunter2@"
        "secret-name.prod-db.example.com/x', other: 'mysql://hunter2.elsewhere.org/x'}\n",
    ]
    for own in ("dummy", "real"):
        told = "\n".join(one for text in texts for one in said(text, own))
        assert "hunter2" not in told
        assert "secret-name" not in told
        assert told


JOBS = {
    "name": "kind: Job\nmetadata: {name: db-seed}\nspec: {template: {spec: {containers: [{}]}}}\n",
    "label": "kind: CronJob\nmetadata: {name: x, labels: {gitops.dev/data-reset: schedule}}\n",
    "words": "kind: Job\nmetadata: {name: x}\n"
    "spec: {template: {spec: {containers: [{command: [rails, 'db:seed']}]}}}\n",
}


@pytest.mark.parametrize("way", JOBS)
def test_jobs(way):
    """A Job that seeds or resets is refused where data is real, and welcome elsewhere."""
    assert ["job"] == [one.rule for one in judge(JOBS[way], "real")]
    assert [] == judge(JOBS[way])


def test_other_jobs():
    """A migration is none, nor is a Deployment called seed."""
    migration = JOBS["words"].replace("db:seed", "db:migrate")

    assert [] == judge(migration, "real")
    assert [] == judge(pod("containers: [{name: a}]", name="seed"), "real")


POLICY = """
kind: NetworkPolicy
metadata: {name: fence}
spec: {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: RULES}
"""
PODS = (
    "kind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n"
    "    metadata: {labels: {app: api}}\n    spec: {containers: [{name: a}]}\n"
)
BOUNDED = (DatabaseRow("real", hosts=("x.example.com",), egress=True),)


@pytest.mark.parametrize(
    ("policy", "right"),
    [
        ("", False),
        (POLICY.replace("RULES", "[]"), True),
        (POLICY.replace("RULES", "[{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"), True),
        (POLICY.replace("RULES", "[{}]"), False),
        (POLICY.replace("RULES", "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]"), False),
        (POLICY.replace("RULES", "[]").replace("app: api", "app: web"), False),
        (POLICY.replace("RULES", "[]").replace("Egress", "Ingress"), False),
        (POLICY.replace("RULES", "[]").replace("{matchLabels: {app: api}}", "{}"), True),
    ],
)
def test_egress(policy, right):
    """Where a row asks for it, each pod of the other class needs a policy that bounds egress."""
    found = [one.rule for one in judge(f"{PODS}---\n{policy}", rows=BOUNDED)]

    assert ([] if right else ["egress"]) == found
    assert [] == judge(PODS, "real", rows=BOUNDED)


def test_protection():
    """Real data that others come after asks for a word about it; the last environment does not."""
    stage = Environment("stage", "s", database="real")
    prod = Environment("prod", "p", database="real", after=("stage",))
    kept = Environment("stage", "s", database="real", protection="masked")

    (told,) = judge_environments(Config(None, (stage, prod), databases=ROWS))
    assert (stage, "protection") == (told[0], told[1].rule)
    assert [] == list(judge_environments(Config(None, (kept, prod), databases=ROWS)))
    assert [] == list(judge_environments(Config(None, (stage, prod))))


def test_environment_without_a_class():
    """Nothing is right or wrong where nobody says what data there is."""
    assert [] == [one for way in HOSTS.values() for one in said(way, None) if "reaches" in one]


@pytest.mark.parametrize(
    ("pattern", "text", "right"),
    [
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "ac", False),
        ("*", "", True),
        ("a*a", "a", False),
        ("*a" * 40 + "b", "a" * 4000, False),
    ],
)
def test_glob(pattern, text, right):
    """`*` is any text, and no pattern takes long."""
    assert right == glob(pattern, text)


def test_bounds():
    """More than anybody looks at, much made of little by aliases, deep nests: all refused."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, two in ("ab", "bc", "cd", "de", "ef", "fg"):
        bomb += f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]\n"
    deep = "a: " + "[" * 200 + "]" * 200 + "\n"
    for text in (bomb, deep, "kind: [\n"):
        with pytest.raises(ManifestError):
            read_manifests(text)


def test_odd_manifests():
    """Values of the wrong kind are nothing to stumble over."""
    text = (
        "kind: Deployment\nmetadata: [1]\nspec: {template: {spec: {containers: [1, {env: 1},"
        " {env: [1, {name: [x]}, {valueFrom: 3}], args: {a: b}}], volumes: 7}}}\n---\n- 1\n---\n"
        "kind: Secret\ndata: [x]\n---\nkind: Secret\ndata: {a: '%%%', b: [x], c: null}\n---\n"
        "kind: ExternalSecret\nspec: {data: [1, {remoteRef: x}], dataFrom: 2}\n---\n"
        "kind: NetworkPolicy\nspec: {egress: [x, {to: 3}], podSelector: {matchExpressions: [1]}}\n"
    )

    judge(text)
    judge(text, "real", rows=BOUNDED)
