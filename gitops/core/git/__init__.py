"""Commits, messages, trailers, revisions and addresses, as Git and Argo CD write them."""
