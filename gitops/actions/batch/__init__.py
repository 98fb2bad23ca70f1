"""Many writers of one branch: intents are published, and one push carries them all."""
