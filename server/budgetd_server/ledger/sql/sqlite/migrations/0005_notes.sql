-- Opaque notes next to budgets. Only the owner of a note interprets it.
CREATE TABLE notes (
    project_key INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    note        BLOB NOT NULL,
    PRIMARY KEY (project_key, owner, key)
) STRICT, WITHOUT ROWID;

-- The first notes are the last records that clients of LiteLLM's self-hosted protocol have saved.
INSERT INTO notes (project_key, owner, key, note)
SELECT project_key, 'litellm:' || client, budget_id,
       CAST(json_array(json(record), accepted_at_us, former_window_at_us) AS BLOB)
  FROM accepted_records;

-- Without this table, a program that ignores the version fails, instead of saving records that are no longer read.
DROP TABLE accepted_records;
