"""A test program: a server whose connections move their log into the file after every few pages, as on a busy one."""

from budgetd_server.cli import main
from budgetd_server.ledger.sqlite import file as sqlite_file

if __name__ == "__main__":
    sqlite_file.CHECKPOINT_PAGES = 100
    main()
