"""Changes that wait for approval on branches of their own: found, drafted, replaced."""
