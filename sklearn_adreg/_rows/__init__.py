"""Everything of the length of the data: X, targets, and what descents ask of them."""
