-- What the owners of notes keep next to budgets. Nobody else knows what a note means.
CREATE TABLE notes (
    project_key INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    note        BLOB NOT NULL,
    PRIMARY KEY (project_key, owner, key)
) STRICT, WITHOUT ROWID;

-- The first notes are what clients of LiteLLM's self-hosted protocol have saved last.
INSERT INTO notes (project_key, owner, key, note)
SELECT project_key, 'litellm:' || client, budget_id,
       CAST(json_array(json(record), accepted_at_us, former_window_at_us) AS BLOB)
  FROM accepted_records;

-- A program that does not look at the version fails on the file, and does not save what nobody reads.
DROP TABLE accepted_records;
