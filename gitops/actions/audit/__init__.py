"""What `check` finds out about one change: what it touches, who agreed, which claim is true."""
