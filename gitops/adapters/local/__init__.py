"""This machine: the clock, folders, kustomize, the sample that gitops brings."""
