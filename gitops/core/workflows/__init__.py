"""Workflows of Argo Workflows: how one stands, and the changes that stop, resume and retry it."""
