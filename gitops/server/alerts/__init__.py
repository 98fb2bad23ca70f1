"""Alerts that came in: what was decided about each, done by the writer, kept for the page."""
