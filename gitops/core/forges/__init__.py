"""Where a forge is, which token goes there, what its branches must ask for."""
