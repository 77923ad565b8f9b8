"""Do two models look at the same place."""
