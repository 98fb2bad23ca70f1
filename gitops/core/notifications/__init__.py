"""What people are told of: events, who hears of which, and the words."""
