"""May these images go there, as of now? Asks every rule, for every way in."""
