"""Measures budgetd together with what it is compared with: `python -m bench`."""
