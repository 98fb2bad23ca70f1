"""What all forges are asked through: time limits, tries, TLS, errors in our words."""
