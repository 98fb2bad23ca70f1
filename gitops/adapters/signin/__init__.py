"""Whoever signs people and jobs in: OpenID providers, GitHub's OAuth, keys and tokens."""
