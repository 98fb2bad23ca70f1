"""Registries of images, by the OCI distribution protocol: one adapter for all of them."""
