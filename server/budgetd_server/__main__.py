"""`python -m budgetd_server` is `budgetd`."""

from budgetd_server.cli import main

main()
