"""A release followed through Argo CD: who tracks it, how it fares, what is done there."""
