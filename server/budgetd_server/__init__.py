"""The budgetd server: a request passes rpc, engine, domain and ledger, in that order, and back."""
