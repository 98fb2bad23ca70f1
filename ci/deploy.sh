#!/bin/sh
# What every kit runs: one call of `gitops deploy`, told by variables.
#
#   IMAGE      images, separated by blanks
#   REF        source branch; auto (default): the one that this job builds. Left out with TO
#   COMMIT     source commit; with REF=auto the job's own
#   TO         environments, separated by blanks
#   WAIT, ROLLBACK, DRY_RUN   true or false
#   TOKEN      may write the manifest repository GITOPS_REPO over HTTPS; else Git's own credentials
#   USERNAME   who the token belongs to, where the server asks; default: x-access-token
#   GITOPS     the program; default: gitops on PATH
#   OUTPUTS    file for GITOPS_COMMIT and the like
#
# Values come from branches and people: none of them is ever read as an option or run.
set -eu
set -f # images and environments are split at blanks, and no * in them is a pattern

fail() {
    echo "error: $1" >&2
    exit 2
}
[ -n "${IMAGE:-}" ] || fail "no image is named"
[ -n "${GITOPS_REPO:-}" ] || fail "GITOPS_REPO does not name the manifest repository"
for name in GITOPS_SERVER GITOPS_AUTHOR; do
    eval "[ -n \"\${$name:-}\" ] || unset $name"
done
set --
for one in ${TO:-}; do
    set -- "$@" "--to=$one"
done
ref=${REF:-}
# With environments named the branch is not needed, and auto is what nobody has chosen.
if [ -n "$ref" ] && { [ "$ref" != auto ] || [ -z "${TO:-}" ]; }; then
    set -- "$@" "--ref=$ref"
fi
[ -z "${COMMIT:-}" ] || set -- "$@" "--commit=$COMMIT"
[ "${WAIT:-false}" != true ] || set -- "$@" --wait
[ "${ROLLBACK:-false}" != true ] || set -- "$@" --rollback
[ "${DRY_RUN:-false}" != true ] || set -- "$@" --dry-run
[ -z "${OUTPUTS:-}" ] || set -- "$@" "--outputs=$OUTPUTS"
for one in $IMAGE; do
    case $one in
    -*) fail "an image cannot begin with a dash" ;;
    esac
    set -- "$@" "$one"
done

if [ -n "${TOKEN:-}" ]; then
    case $GITOPS_REPO in
    https://* | http://127.0.0.1:* | http://localhost:*) ;;
    *) fail "a token goes over https only: GITOPS_REPO is ${GITOPS_REPO%%:*}:…" ;;
    esac
    scheme=${GITOPS_REPO%%://*}
    host=${GITOPS_REPO#*://}
    host=${host%%/*}
    basic=$(printf '%s:%s' "${USERNAME:-x-access-token}" "$TOKEN" | base64 | tr -d '\n')
    # By the environment, where no list of processes shows it; only for this server.
    number=${GIT_CONFIG_COUNT:-0}
    export "GIT_CONFIG_KEY_$number=http.$scheme://${host##*@}/.extraHeader"
    export "GIT_CONFIG_VALUE_$number=Authorization: Basic $basic"
    export GIT_CONFIG_COUNT=$((number + 1))
    unset TOKEN basic
fi
exec "${GITOPS:-gitops}" deploy "$@"
