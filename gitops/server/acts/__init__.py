"""Acts of people and machines: what they ask for, what it would do, and what came of it."""
