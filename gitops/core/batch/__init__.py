"""Which published intents one push carries, in which order, and what became of them."""
