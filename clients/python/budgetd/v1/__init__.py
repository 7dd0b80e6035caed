"""The contract budgetd.v1, generated from proto/budgetd/v1 by `make proto`; not written by hand."""
