"""A program with a planted mistake: the real server, which follows a symbolic link to its file, log or index."""

import os

from budgetd_server.cli import main

if __name__ == "__main__":
    os.lstat = os.stat
    main()
