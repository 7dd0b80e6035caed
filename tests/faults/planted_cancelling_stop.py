"""A program with a planted bug: the real server, which leaves it to gRPC to end the connections when it stops."""

from budgetd_server.cli import main
from budgetd_server.rpc import server

if __name__ == "__main__":
    setattr(server, "end_connections", lambda _: 0)  # noqa: B010 - it is the name that the server looks up.
    main()
