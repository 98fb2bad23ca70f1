"""Argo Workflows: its objects by the Kubernetes API, its templates made by hera."""
