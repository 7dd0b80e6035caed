-- What an entry tells of a call beyond its tokens, and every name that limits have matched it by.
ALTER TABLE entries ADD COLUMN cost_source INTEGER NOT NULL DEFAULT 0;  -- Who told the cost; 0: not kept.
ALTER TABLE entries ADD COLUMN other_names TEXT;    -- A JSON array of the model's other names; NULL: catalogue_name.
ALTER TABLE entries ADD COLUMN usage_parts TEXT;    -- A JSON object of counts; NULL: none.
ALTER TABLE entries ADD COLUMN terms TEXT;          -- A JSON array: how the call was served; NULL: as usual.
ALTER TABLE entries ADD COLUMN unread_fields TEXT;  -- A JSON array of paths in the provider's answer; NULL: none.

-- Programs of versions 1 and 2 do not look at user_version: one that still has the file open would go on writing rows
-- without the columns above. Under these two names every write of theirs fails, as one transaction: charges and other
-- commands look up and keep their request ids; expiries and resets insert entries with all columns.
ALTER TABLE requests RENAME TO request_ids;
ALTER TABLE entries RENAME COLUMN catalogue_model TO catalogue_name;

-- One row: the only name under which the file may be used. In a page of its own, which no other row's change brings into
-- the log.
CREATE TABLE place (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    folder TEXT NOT NULL,  -- The inode of its folder; '': not used yet.
    name   BLOB NOT NULL
) STRICT;
INSERT INTO place (id, folder, name) VALUES (1, '', x'');
