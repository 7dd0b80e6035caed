"""A call from method to answer, over any transport: its RPC, deadline, request id and retries."""
