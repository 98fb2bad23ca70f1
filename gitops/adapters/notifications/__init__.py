"""Messages to people: chat, mail, phones and hooks, through apprise."""
