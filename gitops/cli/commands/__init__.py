"""A file for each family of verbs: its options, and the action that gets them."""
