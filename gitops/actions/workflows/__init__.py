"""Workflows of Argo Workflows: submitted, followed, stopped, retried, and their approvals."""
