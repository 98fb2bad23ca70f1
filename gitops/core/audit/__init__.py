"""What a change is about and whether it is what it says: findings, paths, claims."""
