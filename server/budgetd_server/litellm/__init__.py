"""Everything specific to LiteLLM: the server protocol and the file of its BudgetManager. No other part knows them."""
