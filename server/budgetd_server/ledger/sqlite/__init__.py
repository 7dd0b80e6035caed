"""Budgets and entries in one SQLite file. `ledger` is what others use; `file` opens, `verify` recounts a file."""
