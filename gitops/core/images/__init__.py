"""Images in a registry: their names, manifests, platforms, and what they say of themselves."""
