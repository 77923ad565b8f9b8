"""What a class looks at over a whole folder."""
