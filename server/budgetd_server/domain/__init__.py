"""What happens: the rules of budgets, as pure functions of state, command and time."""
