"""What was seen of releases: verdicts and approvals, and who signed them."""
