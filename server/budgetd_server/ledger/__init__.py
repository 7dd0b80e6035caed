"""Where it is kept: the seam between the rules and a store, and the stores behind it."""
