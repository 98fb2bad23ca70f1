"""The command line: reads words, opens sessions, prints reports, makes exit codes of errors."""
