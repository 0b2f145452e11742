"""Update rules, from state to state, and the coordinates in which they step."""
