"""Reads, imports and exports `user_cost.json`, the file in which LiteLLM's BudgetManager keeps its budgets."""
