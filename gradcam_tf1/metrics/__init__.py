"""How far a map can be trusted, in numbers: pure functions on arrays and a score function. No TensorFlow here."""
