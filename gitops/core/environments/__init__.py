"""The rows of `gitops.yaml` as values: environments, overlays, freezes."""
