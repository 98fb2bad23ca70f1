"""One outside thing each, behind a port; errors of libraries are translated at the door."""
