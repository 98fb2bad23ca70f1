"""Git objects made and read in process: the store, trees, snapshots of a tip."""
