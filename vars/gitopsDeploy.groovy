// A step of a Jenkins shared library: name this repository as one, then
//
//   gitopsDeploy(image: 'shop/api:1.5.0', repo: 'https://git.example.com/shop/manifests.git',
//                credentials: 'manifests-token')
//
// In a multibranch pipeline the branch and its commit are the job's own. Returns the values that
// `gitops deploy --outputs` writes. Not run yet: no Jenkins has had it.
def call(Map given) {
    for (name in ['image', 'repo']) {
        if (!given[name]) {
            error "gitopsDeploy: ${name} is missing"
        }
    }
    def kit = "${pwd(tmp: true)}/gitops-kit"
    dir(kit) {
        checkout scm: [
            $class: 'GitSCM',
            branches: [[name: given.pin ?: error('gitopsDeploy: pin is missing: a commit of this library')]],
            userRemoteConfigs: [[url: given.source ?: error('gitopsDeploy: source is missing: the URL of this library')]],
        ], changelog: false, poll: false
    }
    def outputs = "${kit}/gitops.env"
    def settings = [
        "IMAGE=${given.image}", "GITOPS_REPO=${given.repo}", "REF=${given.ref ?: 'auto'}",
        "COMMIT=${given.commit ?: ''}", "TO=${(given.to ?: []).join(' ')}",
        "WAIT=${given.wait ?: false}", "ROLLBACK=${given.rollback ?: false}",
        "GITOPS_AUTHOR=${given.author ?: ''}", "OUTPUTS=${outputs}", "KIT=${kit}",
    ]
    def run = {
        // Single quotes: the shell reads the variables, and nothing of them is code here.
        sh 'rm -f "$OUTPUTS"; "$KIT/ci/install.sh" "$KIT/venv" && PATH="$KIT/venv/bin:$PATH" "$KIT/ci/deploy.sh"'
    }
    timeout(time: given.minutes ?: 15, unit: 'MINUTES') {
        withEnv(settings) {
            if (given.credentials) {
                withCredentials([string(credentialsId: given.credentials, variable: 'TOKEN')], run)
            } else {
                run()
            }
        }
    }
    return readFile(outputs).readLines().collectEntries {
        def parts = it.split('=', 2)
        [(parts[0]): parts[1]]
    }
}
