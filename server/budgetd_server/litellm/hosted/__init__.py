"""LiteLLM's self-hosted protocol: `/get_budget` and `/set_budget`, by which its class keeps budgets on a server."""
