"""Images looked at in their registries before a write, and found where they are in use."""
