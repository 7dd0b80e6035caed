"""When it happens: commands wait for a shared commit, reads for a shared load."""
