"""Do maps depend on the weights, and are they repeatable."""
