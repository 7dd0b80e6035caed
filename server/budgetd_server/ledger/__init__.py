"""The ledger: the interface between the rules and a store, and the stores that implement it."""
