"""Pure rules and values: no clock, environment, disk or network."""
