"""Measures budgetd beside what it is compared with: `python -m bench`."""
