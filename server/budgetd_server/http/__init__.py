"""The HTTP port: metrics, probes, and LiteLLM's self-hosted protocol."""
