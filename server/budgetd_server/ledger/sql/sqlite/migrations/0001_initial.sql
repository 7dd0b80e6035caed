-- Everything that the rules of budgetd keep. Money is in nano-USD, times are microseconds since the Unix epoch (UTC).
-- Every key begins with the project, so that a store can be split by project.

CREATE TABLE projects (
    project_key INTEGER PRIMARY KEY,
    project_id  TEXT NOT NULL UNIQUE
) STRICT;

-- One row for each incarnation of a budget: an id that is deleted and created anew gets another key.
CREATE TABLE budgets (
    project_key   INTEGER NOT NULL REFERENCES projects,
    budget_key    INTEGER NOT NULL,
    budget_id     TEXT NOT NULL,
    parent_key    INTEGER,                       -- NULL: a root.
    is_template   INTEGER NOT NULL DEFAULT 0,
    named_count   INTEGER NOT NULL DEFAULT 0,    -- How many limits it has beside the main one.
    labels        TEXT NOT NULL DEFAULT '{}',    -- A JSON object of strings.
    version       INTEGER NOT NULL,              -- Grows with every change of configuration.
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL,
    deleted_at_us INTEGER,                       -- NULL: live.
    PRIMARY KEY (project_key, budget_key)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX budgets_live ON budgets (project_key, budget_id) WHERE deleted_at_us IS NULL;
CREATE INDEX budgets_deleted ON budgets (project_key, budget_id, budget_key) WHERE deleted_at_us IS NOT NULL;
CREATE INDEX budgets_by_parent ON budgets (project_key, parent_key) WHERE parent_key IS NOT NULL;

-- What the entries above since_seq come to. A budget's rows lie side by side, so that a charge touches one page: the
-- row (is_model 0, limit_id, model '') is the count of a limit, '' being the main one, which every budget has; the rows
-- (is_model 1, limit_id '', model) are the parts of the main count by model.
CREATE TABLE counters (
    project_key          INTEGER NOT NULL,
    budget_key           INTEGER NOT NULL,
    is_model             INTEGER NOT NULL,
    limit_id             TEXT NOT NULL,
    model                TEXT NOT NULL,

    -- The rule. amount is NULL in a main count without a limit, and in the parts by model.
    unit                 INTEGER NOT NULL DEFAULT 1,
    amount               INTEGER CHECK (amount >= 0),
    window               TEXT,                       -- JSON; NULL: lifetime.
    models               TEXT,                       -- A JSON array of patterns; NULL: all.
    action               INTEGER NOT NULL DEFAULT 1,
    reset_mode           INTEGER NOT NULL DEFAULT 1,
    alert_ratios         TEXT,                       -- A JSON array; NULL: the usual ones.
    is_swept             INTEGER NOT NULL DEFAULT 0, -- 1: its window ends without anybody's touch.

    -- The count.
    window_start_at_us   INTEGER,                    -- NULL: since ever.
    window_end_at_us     INTEGER,                    -- NULL: never ends.
    since_seq            INTEGER NOT NULL DEFAULT 0,
    held                 INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    cost_nano_usd        INTEGER NOT NULL DEFAULT 0 CHECK (cost_nano_usd >= 0 OR limit_id <> ''),
    input_tokens         INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens        INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cached_input_tokens  INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens   INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens     INTEGER NOT NULL DEFAULT 0,
    calls                INTEGER NOT NULL DEFAULT 0 CHECK (calls >= 0),
    burn_rate_per_hour   INTEGER NOT NULL DEFAULT 0,
    burn_at_us           INTEGER,                    -- NULL: nothing was ever counted.
    alerts_fired         INTEGER NOT NULL DEFAULT 0, -- A bit for each alert ratio.

    -- Of the budget as a whole, in its main count only, since every charge writes that row anyway.
    lifetime_cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    models_count         INTEGER NOT NULL DEFAULT 0,
    last_seq             INTEGER NOT NULL DEFAULT 0, -- The newest entry of the budget id: the head of its chain.
    PRIMARY KEY (project_key, budget_key, is_model, limit_id, model),
    FOREIGN KEY (project_key, budget_key) REFERENCES budgets
) STRICT, WITHOUT ROWID;

CREATE INDEX counters_by_window_end ON counters (window_end_at_us) WHERE is_swept = 1;

-- The ledger. seq counts up by one in each project. previous_seq chains the entries of one budget id, newest to oldest,
-- which costs a charge nothing; an index by budget took half of the speed of appending.
CREATE TABLE entries (
    project_key         INTEGER NOT NULL REFERENCES projects,
    seq                 INTEGER NOT NULL CHECK (seq > 0),
    budget_key          INTEGER NOT NULL,
    previous_seq        INTEGER NOT NULL,
    kind                INTEGER NOT NULL,
    created_at_us       INTEGER NOT NULL,
    cost_nano_usd       INTEGER NOT NULL,
    input_tokens        INTEGER,                     -- NULL, as the four below: the caller told no tokens.
    output_tokens       INTEGER,
    cached_input_tokens INTEGER,
    cache_write_tokens  INTEGER,
    reasoning_tokens    INTEGER,
    model               TEXT NOT NULL,               -- '': none was named.
    request_id          TEXT NOT NULL,               -- '': the server made the entry by itself.
    labels              TEXT,                        -- A JSON object of strings; NULL: none.
    reason              TEXT NOT NULL DEFAULT '',
    event_at_us         INTEGER,                     -- NULL: not told.
    price_version       TEXT NOT NULL DEFAULT '',    -- '': the caller told the cost.
    windows_skipped     INTEGER NOT NULL DEFAULT 0,
    calls               INTEGER NOT NULL DEFAULT 0,  -- How many calls it counts as.
    reservation_seq     INTEGER,                     -- The hold that this entry settles, releases or expires.
    adjusted_seq        INTEGER,                     -- The entry that this one corrects.
    is_estimated        INTEGER NOT NULL DEFAULT 0,
    is_late             INTEGER NOT NULL DEFAULT 0,
    overage_nano_usd    INTEGER NOT NULL DEFAULT 0,
    catalogue_model     TEXT NOT NULL DEFAULT '',    -- The catalogue's name of the model; '': the same, or unknown.
    limit_id            TEXT NOT NULL DEFAULT '',    -- Of a reset: the limit that began again.
    other_keys          TEXT,                        -- A JSON array of the budgets beside its own; NULL: none.
    PRIMARY KEY (project_key, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_by_adjusted ON entries (project_key, adjusted_seq) WHERE adjusted_seq IS NOT NULL;

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;

CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;

-- The other_keys of all entries the other way round: what counts on a budget beside its own entries.
CREATE TABLE entry_budgets (
    project_key INTEGER NOT NULL,
    budget_key  INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (project_key, budget_key, seq)
) STRICT, WITHOUT ROWID;

-- Money, tokens and a call held before the work; named by the entry that made it, which tells model, labels and budgets.
CREATE TABLE reservations (
    project_key        INTEGER NOT NULL,
    seq                INTEGER NOT NULL,
    budget_key         INTEGER NOT NULL,
    state              INTEGER NOT NULL,             -- 1: open.
    held_nano_usd      INTEGER NOT NULL CHECK (held_nano_usd >= 0),
    held_input_tokens  INTEGER CHECK (held_input_tokens >= 0),  -- NULL, as the one below: no tokens are held.
    held_output_tokens INTEGER CHECK (held_output_tokens >= 0),
    held_calls         INTEGER NOT NULL,
    on_expiry          INTEGER NOT NULL,
    created_at_us      INTEGER NOT NULL,
    expires_at_us      INTEGER NOT NULL,
    ended_at_us        INTEGER,                      -- NULL, as the one below: it is open.
    ended_seq          INTEGER,                      -- The entry that ended it.
    PRIMARY KEY (project_key, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_expiry ON reservations (expires_at_us) WHERE state = 1;

-- The open holds on each budget, those that expire first in front.
CREATE TABLE open_holds (
    project_key   INTEGER NOT NULL,
    budget_key    INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    PRIMARY KEY (project_key, budget_key, expires_at_us, seq)
) STRICT, WITHOUT ROWID;

-- Request ids that have taken effect, with what they came to: a retry changes nothing and gets the same answer.
CREATE TABLE requests (
    project_key   INTEGER NOT NULL,
    rpc           INTEGER NOT NULL,
    request_id    TEXT NOT NULL,
    fingerprint   BLOB NOT NULL,
    entry_seq     INTEGER NOT NULL,   -- The entry that records the effect; 0: none does.
    result        INTEGER NOT NULL,   -- The number that the answer carries: a cost, a count, a yes or no.
    more          TEXT,               -- A JSON array of the other numbers that it carries; NULL: none.
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (project_key, rpc, request_id)
) STRICT, WITHOUT ROWID;

-- One row, written to prove that the store takes writes.
CREATE TABLE heartbeat (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    at_us INTEGER NOT NULL
) STRICT;

INSERT INTO heartbeat (id, at_us) VALUES (1, 0);
