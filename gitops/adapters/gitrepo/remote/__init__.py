"""Repositories behind a URL: fetched into a private store, deepened, pushed to."""
