"""What gitops does: a file for each verb; takes ports, returns reports, never prints."""
