"""From parameters and data to a solution: which descent, where it starts and ends."""
