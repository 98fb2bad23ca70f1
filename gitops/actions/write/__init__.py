"""The way into Git: a plan is pushed, and planned again when the push was late."""
