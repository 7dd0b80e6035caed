"""LiteLLM's self-hosted protocol: with `/get_budget` and `/set_budget` its class keeps budgets on a server."""
