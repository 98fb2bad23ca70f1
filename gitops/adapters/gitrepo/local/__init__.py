"""Repositories on this machine: bare, a checkout without a remote, the work tree."""
