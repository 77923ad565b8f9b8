"""What a unit of a net sees: pictures that activate it most, drawn and found."""
