"""gitops: writes image tags into Kustomize overlays in Git, and takes them back."""

__version__ = "0.1.0"
