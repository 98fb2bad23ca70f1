"""Hooks of forges, registries, Argo CD and monitoring: each is proved, and only causes a look."""
