-- What each client of LiteLLM's self-hosted protocol has saved last of each user: the next save is compared with it.
CREATE TABLE accepted_records (
    project_key         INTEGER NOT NULL,
    client              TEXT NOT NULL,    -- The load that it goes back to, or when its users were created; '': unknown.
    budget_id           TEXT NOT NULL,
    record              TEXT NOT NULL,    -- A JSON array.
    accepted_at_us      INTEGER NOT NULL,
    former_window_at_us INTEGER,          -- NULL: there was no window before.
    PRIMARY KEY (project_key, client, budget_id)
) STRICT, WITHOUT ROWID;
