"""Budgets and entries in one SQLite file. `ledger` is the public module; `file` opens and `verify` recounts a file."""
