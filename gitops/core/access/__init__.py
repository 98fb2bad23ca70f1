"""Who may do what through the server, by `access:` and `jobs:` of `gitops.yaml`."""
