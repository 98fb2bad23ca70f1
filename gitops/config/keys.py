"""The keys of `gitops.yaml`: the one description that the reader and the JSON Schema come from.

A new key is one `Key(...)` here: an object of its own is a `Table`, a list a `ListOf`, a word
from a few a `OneOf`, everything else (durations, URLs, times) a `Text` with its pattern. What
one value demands of another is in `gitops/config/rules.py`.
"""

from __future__ import annotations

from gitops.config.clusters import cluster_table, wait_table
from gitops.config.groups import group_table

# The characters that no branch name and no path of ours may hold; U+0020 ends the control range.
from gitops.config.patterns import (
    ACCEPTS,
    BRANCH,
    BRANCH_PATTERN,
    CRON,
    DATABASE_HOST,
    DURATION,
    FILE,
    FOLDERS,
    FORGE_URL,
    LABEL,
    MOMENT,
    NAME,
    NAME_OF_SECRET,
    OVERLAY,
    REPOSITORY,
    REVIEWER,
    SETTING,
    STORE_KEY,
    SUBJECT,
    TRAILER,
    VERSION,
    WORDS,
    ZONE,
)
from gitops.config.registries import IMAGE_ROW, PINS, registry_keys
from gitops.config.server_keys import server_keys
from gitops.config.shapes import Key, ListOf, OneOf, OneOrMore, Table, WholeNumber, YesNo

ENVIRONMENT = Table(
    {
        "name": Key(NAME, "What the commands call it.", required=True),
        "overlay": Key(
            OneOrMore(OVERLAY),
            "Its Kustomize directory, from the root; {app} stands for every app's folder. Or a "
            "list of such with {app}, where apps lie in several places.",
            required=True,
        ),
        "accepts": Key(
            ListOf(ACCEPTS),
            "Source branches that may go there: * inside a path segment, ** across segments, "
            "{version} one segment.",
        ),
        "deploy": Key(
            OneOf("manual", "auto"),
            "auto: `gitops deploy --ref` of an accepted branch goes there by itself.",
            default="manual",
        ),
        "change": Key(
            OneOf("commit", "pull-request", "work-tree"),
            "How a change goes in; work-tree edits the caller's checkout and commits nothing.",
            default="commit",
        ),
        "rollback": Key(
            OneOf("commit", "pull-request"), "How a rollback goes in.", default="commit"
        ),
        "after": Key(
            ListOf(NAME),
            "Earlier environments that must have, or have had, the same images: each of them.",
        ),
        "follow": Key(
            OneOf("newest", "any"),
            "Of several live release branches: the newest version, or each that comes.",
            default="newest",
        ),
        "followBelow": Key(
            VERSION,
            "Release branches of this version or a newer one are not followed: a bound for what "
            "a source repository may call its newest.",
        ),
        "onAlert": Key(
            OneOf("off", "tell", "propose", "rollback"),
            "What happens when a release turns out Degraded, or an alert of `alerts` names it: "
            "rollback lets `gitops watch --rollback` and the server go back by themselves, "
            "propose makes a proposal of it; tell and off only say so.",
            default="off",
        ),
        "confirm": Key(
            OneOf("ask", "off", "name"),
            "On the server's page: ask shows first what would be done; off rolls back with one "
            "press; name asks to type the name of the environment.",
            default="ask",
        ),
        "formerly": Key(
            ListOf(NAME),
            "Earlier names of the environment: its holds, verdicts and history count on.",
        ),
        "registry": Key(
            OneOf("shared", "own"),
            "own: its images come from a registry of its own. `newName` is never carried to or "
            "from it, and `after` compares tag and digest.",
            default="shared",
        ),
        **PINS,
        "builds": Key(
            ListOf(FOLDERS),
            "Where Argo CD builds what is pinned here, with * and **; left out: where it is used.",
        ),
        "database": Key(OneOf("dummy", "real"), "What its applications talk to."),
        "dataProtection": Key(
            OneOf("masked", "read-only"),
            "What keeps real data safe in an environment that others come after (stage): it is a "
            "masked copy, or is only read.",
        ),
        "requires": Key(
            ListOf(OneOf("qa-passed", "stable")),
            "Verdicts that the images must have in every environment of `after`.",
        ),
        "soak": Key(
            DURATION,
            "`gitops promote --eligible` takes only what has been stable in `after` for so long.",
        ),
        "wait": Key(wait_table(DURATION), "How long `gitops wait` waits."),
        "approvals": Key(
            Table(
                {
                    "required": Key(WholeNumber(1, 20), "How many must approve; left out: 1."),
                    "self": Key(YesNo(), "Whether an author may approve; left out: false."),
                }
            ),
            "Who must agree to a proposal where there is no forge, or one that asks for nobody.",
        ),
        "branch": Key(
            BRANCH,
            "A branch of its own, which its overlays and holds are on; left out: the top-level "
            "one. Policy is read from the top-level branch all the same.",
        ),
    }
)

FREEZE = Table(
    {
        "name": Key(WORDS, "What messages call it.", required=True),
        "reason": Key(
            WORDS,
            "Why; whoever is stopped by it reads it.",
            required=True,
        ),
        "environments": Key(ListOf(NAME, least=1), "Which; left out: all of them."),
        "from": Key(MOMENT, "The first day, or the moment it begins."),
        "to": Key(MOMENT, "The last day, or the moment it ends."),
        "cron": Key(CRON, "When it begins, again and again; with `duration`."),
        "duration": Key(DURATION, "How long it lasts; with `cron`."),
        "timezone": Key(ZONE, "The IANA time zone of all of this.", default="UTC"),
    }
)

FORGE = Table(
    {
        "kind": Key(
            OneOf("github", "gitlab", "gitea", "forgejo", "bitbucket", "azure-devops", "none"),
            "What answers there; none: proposals are branches, whatever the host is.",
            required=True,
        ),
        "url": Key(
            FORGE_URL,
            "Its pages, on the host of the repository; left out: at the address of the remote.",
        ),
    }
)

PULL_REQUEST = Table(
    {
        "labels": Key(ListOf(LABEL), "Labels that every one of them gets."),
        "reviewers": Key(
            ListOf(REVIEWER),
            "Who is asked to look: login names, team:NAME for a team.",
        ),
        "mergeMethod": Key(
            OneOf("merge", "squash", "rebase"), "How `gitops approve` merges it.", default="merge"
        ),
        "draft": Key(
            YesNo(), "Opened as a draft, until a person says that it is ready; left out: false."
        ),
    }
)

_LEVELS = ("required", "advised")

BRANCH_RULE = Table(
    {
        "match": Key(
            BRANCH_PATTERN,
            "A branch, or a pattern: * inside a path segment, ** across segments.",
            required=True,
        ),
        "tests": Key(
            OneOf(*_LEVELS), "Whether a status check must succeed; left out: it need not."
        ),
        "checks": Key(
            ListOf(WORDS, least=1),
            "The names of the status checks that are its tests; left out: any.",
        ),
        "approvals": Key(
            Table(
                {
                    "count": Key(WholeNumber(1, 20), "How many must approve; left out: 1."),
                    "level": Key(OneOf(*_LEVELS), "How badly that is wanted.", default="required"),
                }
            ),
            "Who must agree to a pull request into it.",
        ),
    }
)

MESSAGE = Table(
    {
        "subject": Key(
            SUBJECT,
            "The first line, with {summary} where what was done stands; left out: that alone.",
            default="{summary}",
        ),
        "trailers": Key(
            ListOf(TRAILER),
            "Trailers that every commit gets as well; {author} is who writes it.",
        ),
    }
)

DATABASE = Table(
    {
        "class": Key(
            OneOf("real", "dummy"), "What kind of data the databases hold.", required=True
        ),
        "hosts": Key(
            ListOf(DATABASE_HOST, least=1),
            "Names and addresses of their servers, in small letters or not; * is any text. One "
            "without a dot counts only where an address stands.",
        ),
        "secrets": Key(
            ListOf(NAME_OF_SECRET, least=1),
            "Names of the Secrets that open them, and of the ExternalSecrets that make those.",
        ),
        "stores": Key(
            ListOf(STORE_KEY, least=1),
            "STORE/KEY of secrets kept elsewhere, as ExternalSecrets and SecretProviderClasses "
            "name them.",
        ),
        "keys": Key(
            ListOf(SETTING, least=1),
            "Settings that say that such a database is used: NAME, or NAME=VALUE.",
        ),
        "egress": Key(
            OneOf("any", "bounded"),
            "bounded: every pod of the other class needs a NetworkPolicy that bounds where it may "
            "go.",
            default="any",
        ),
    }
)

ROOT = Table(
    {
        "apiVersion": Key(OneOf("gitops/v1"), "The version of this format.", required=True),
        "kind": Key(OneOf("Config"), "What this file is.", required=True),
        "branch": Key(
            BRANCH,
            "The branch that Argo CD follows and that policy is read from; left out: the default "
            "branch of the remote.",
        ),
        "environments": Key(
            ListOf(ENVIRONMENT, least=1), "The environments, in promotion order.", required=True
        ),
        "groups": Key(
            ListOf(group_table(NAME)),
            "Names for several environments; one stands wherever an environment may be named.",
        ),
        "ignore": Key(
            ListOf(FOLDERS),
            "Folders that {app} does not mean, with * and **: charts/**.",
        ),
        "images": Key(
            ListOf(IMAGE_ROW),
            "Where images are built from, what follows them, and which are deployed when pushed.",
        ),
        **registry_keys(ACCEPTS, DURATION),
        "forge": Key(FORGE, "Where pull requests are; left out: found from the remote."),
        "freeze": Key(
            ListOf(FREEZE), "Times at which nothing but a rollback goes to an environment."
        ),
        "clusters": Key(
            ListOf(cluster_table(NAME)),
            "Where environments run, so that their health can be asked for.",
        ),
        **server_keys(NAME, DURATION),
        "databases": Key(
            ListOf(DATABASE),
            "How databases of each class are known; with it `gitops data check`, `validate` and "
            "`check` look at what every workload reaches.",
        ),
        "signers": Key(
            FILE,
            "An OpenSSH allowed-signers file on the branch; with it only ledger lines count that a "
            "commit added which one of its keys signed.",
        ),
        "repository": Key(
            REPOSITORY,
            "What this repository is called where jobs carry each other's changes "
            "(`GITOPS_COMBINE_KEY`) and reach it by different addresses; left out: host and path. "
            "Different for each repository that shares the key.",
        ),
        "message": Key(MESSAGE, "The form of commit messages; what was done stands in it."),
        "pullRequest": Key(PULL_REQUEST, "How proposals look where there is a forge."),
        "branches": Key(
            ListOf(BRANCH_RULE),
            "What pull requests into branches need, of this repository and of those that images "
            "are built from; `gitops validate --forge` compares it with what the forge asks.",
        ),
    }
)
