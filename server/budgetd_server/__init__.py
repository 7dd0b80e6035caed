"""The budgetd server: a request passes through rpc, engine, domain and ledger, in that order, and back."""
