"""A loss as descents see it: checked, told apart from others, and differentiated."""
