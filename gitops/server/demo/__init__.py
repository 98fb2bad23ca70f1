"""A throw-away repository with a story in it, told by the real actions, and the people of it."""
