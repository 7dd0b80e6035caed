"""What carries calls over gRPC, and what its statuses mean."""
