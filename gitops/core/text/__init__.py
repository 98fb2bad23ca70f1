"""Text for people and for Markdown: one line, counts, durations, timestamps, wildcards."""
