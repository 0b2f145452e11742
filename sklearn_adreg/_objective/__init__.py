"""Functions of the coefficients: mean losses, quadratic forms, and penalties."""
