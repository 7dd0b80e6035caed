"""The HTTP port: metrics, probes, and the protocols that are mounted on it."""
