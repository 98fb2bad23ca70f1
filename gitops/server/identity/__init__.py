"""Who asks: the person behind a request."""
