"""Argo CD: its Applications, by the Kubernetes API or by Argo CD's own.

`clusters.py` finds which of them to ask and is what wiring uses. `kubernetes_api.py` speaks to the
API server that the Applications are kept in, through the official client (`connection.py` is the
one door to it, and imports it when a call is made). `server_api.py` speaks to Argo CD's own API
with a token; it needs no client, and fewer rights: a refresh is a read there.

What is read is a whole object, judged whole (core/argocd/health.py). Watches only wake
(`watches.py`): nothing is concluded from an event, so a lost, doubled or late one does no harm.

Only annotations are ever patched, and only of Applications that the caller found to follow its
repository. The sync API is never called: on an auto-synced Application a sync right after a commit
makes Argo CD go to the new commit, back to the one in its cache, and forth again (argo-cd #10367).
"""
