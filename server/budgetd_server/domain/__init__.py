"""The rules of budgets, as pure functions of state, command and time."""
