"""Images that were pushed: the newest by `tags:`, and whether it may go where it is followed."""
