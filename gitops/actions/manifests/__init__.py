"""Overlays rendered by kustomize, and the images that their manifests use."""
