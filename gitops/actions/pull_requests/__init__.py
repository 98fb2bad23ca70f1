"""The pull request of each proposal: opened, kept true, judged, merged, ended."""
