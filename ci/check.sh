#!/bin/sh
# What every kit runs in the manifest repository, told by variables.
#
#   AGAINST    of a pull request: what it goes to (origin/main); else it is a push
#   BEFORE     of a push: the commit before it
#   COMMENT    file for what the comparison says, as Markdown
#   MARKS      github: marks on the page of the job
#   GITOPS     the program; default: gitops on PATH
#
# The comparison builds what was proposed, by whomever: it gets no token, `check` does.
set -u

gitops=${GITOPS:-gitops}
marks=${MARKS:-none}
code=0
worse() {
    "$@" || { said=$?; [ "$said" -le "$code" ] || code=$said; }
}
without_tokens() {
    env -u GITHUB_TOKEN -u GH_TOKEN -u GITLAB_TOKEN -u CI_JOB_TOKEN -u GITEA_TOKEN -u BITBUCKET_TOKEN \
        -u AZURE_DEVOPS_TOKEN -u SYSTEM_ACCESSTOKEN -u GIT_CONFIG_COUNT "$@"
}
case "${AGAINST:-}${BEFORE:-}" in
-*)
    echo "error: a revision cannot begin with a dash" >&2
    exit 2
    ;;
esac
if [ -n "${AGAINST:-}" ]; then
    worse without_tokens "$gitops" validate "--against=$AGAINST" "--comment=${COMMENT:-comment.md}"
    worse "$gitops" check "--annotations=$marks"
else
    worse "$gitops" validate "--annotations=$marks"
    # The first push of a branch has no commit before it.
    case ${BEFORE:-} in
    "" | 0000000*) worse "$gitops" check "--annotations=$marks" ;;
    *) worse "$gitops" check "--annotations=$marks" "$BEFORE..HEAD" ;;
    esac
fi
exit "$code"
