"""The engine: commands wait for a shared commit, reads for a shared load."""
