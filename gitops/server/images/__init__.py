"""Images that were pushed: looked for in their registries, deployed by the writer, told."""
