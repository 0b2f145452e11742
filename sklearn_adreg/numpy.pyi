# What the module has are NumPy's names: an editor completes them, and a type checker
# refuses those that NumPy does not have.
from numpy import *  # noqa: F403
