"""A search over step lengths: all candidates on all splits, in few passes over X."""
