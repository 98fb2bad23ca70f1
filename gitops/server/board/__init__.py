"""The view of all environments kept in memory, and the streams that tell of its changes."""
