// Nothing: what every script costs.
