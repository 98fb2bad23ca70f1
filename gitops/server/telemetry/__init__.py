"""What the server tells of itself: figures for Prometheus, and a line of JSON for each request."""
