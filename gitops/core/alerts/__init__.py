"""Alerts of monitoring: what came in, which overlay it is about, and whether that goes back."""
