"""One call from the method to the answer, whatever carries it: its RPC, its deadline, its request id, its retries."""
