"""The gRPC edge: decodes messages into commands, and encodes outcomes and errors."""
