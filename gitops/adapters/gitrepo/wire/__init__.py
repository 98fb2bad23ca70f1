"""Git's smart HTTP spoken in process: one connection for all that a call asks of a remote."""
