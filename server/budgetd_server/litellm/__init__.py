"""The one door for LiteLLM: the server for its class, and the file of its class. No other part knows of them."""
