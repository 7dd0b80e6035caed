-- What a transaction writes. Each statement has a name and a description.

-- name: insert_project
-- A new project, created by its first budget.
INSERT INTO projects (project_key, project_id) VALUES (?, ?);

-- name: save_budget
-- A budget's configuration, new or changed.
INSERT INTO budgets ({BUDGET}) VALUES ({?BUDGET})
ON CONFLICT (project_key, budget_key) DO UPDATE SET {=CONFIGURATION};

-- name: save_counter
-- The count of a limit with its rule, new or changed.
INSERT INTO counters (project_key, budget_key, limit_id, is_model, model, {CONFIGURED_COUNT})
VALUES (?, ?, ?, 0, '', {?CONFIGURED_COUNT})
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET {=CONFIGURED_COUNT};

-- name: save_count
-- The count of a limit whose rule has not changed: what every charge writes.
INSERT INTO counters (project_key, budget_key, limit_id, is_model, model, {COUNT})
VALUES (?, ?, ?, 0, '', {?COUNT})
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET {=COUNT};

-- name: remove_counter
-- Deletes a limit that was removed.
DELETE FROM counters WHERE project_key = ? AND budget_key = ? AND is_model = 0 AND limit_id = ?;

-- name: clear_models
-- Deletes the sums by model, when their count restarts.
DELETE FROM counters WHERE project_key = ? AND budget_key = ? AND is_model = 1;

-- name: save_model
-- The sums of one model.
INSERT INTO counters (project_key, budget_key, model, is_model, limit_id, {SUMS})
VALUES (?, ?, ?, 1, '', {?SUMS})
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET {=SUMS};

-- name: note_deletion
-- Marks a deleted budget as pending, if it has children still to be deleted.
INSERT INTO pending_deletions (project_key, budget_key, request_id)
SELECT :project_key, :budget_key, :request_id
 WHERE EXISTS (SELECT 1
                 FROM budgets AS b INDEXED BY budgets_by_parent
                WHERE b.project_key = :project_key AND b.parent_key = :budget_key AND b.deleted_at_us IS NULL);

-- name: settle_deletion
-- Removes the mark, if no children are left to be deleted.
DELETE FROM pending_deletions
 WHERE project_key = :project_key AND budget_key = :budget_key
   AND NOT EXISTS (SELECT 1
                     FROM budgets AS b INDEXED BY budgets_by_parent
                    WHERE b.project_key = :project_key AND b.parent_key = :budget_key AND b.deleted_at_us IS NULL);

-- name: insert_entry
-- A new entry.
INSERT INTO entries ({ENTRY}) VALUES ({?ENTRY});

-- name: insert_plain_entry
-- The same, for an entry with defaults in the other columns, as most charges.
INSERT INTO entries ({PLAIN_ENTRY}) VALUES ({?PLAIN_ENTRY});

-- name: insert_entry_budget
-- Another budget that an entry counts on.
INSERT INTO entry_budgets (project_key, budget_key, seq) VALUES (?, ?, ?);

-- name: save_reservation
-- A reservation, new or changed.
INSERT INTO reservations ({RESERVATION}) VALUES ({?RESERVATION})
ON CONFLICT (project_key, seq) DO UPDATE SET {=HELD};

-- name: insert_hold
-- An open hold on one of its budgets.
INSERT INTO open_holds (project_key, budget_key, expires_at_us, seq) VALUES (?, ?, ?, ?);

-- name: remove_hold
-- Removes a hold from a budget when it ends, or before its expiry changes.
DELETE FROM open_holds WHERE project_key = ? AND budget_key = ? AND expires_at_us = ? AND seq = ?;

-- name: insert_request
-- A request id that takes effect.
INSERT INTO request_ids (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us, more)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: save_note
-- A note, replacing the former one.
INSERT INTO notes (project_key, owner, key, note) VALUES (?, ?, ?, ?)
ON CONFLICT (project_key, owner, key) DO UPDATE SET note = excluded.note;

-- name: forget_note
-- Deletes a note.
DELETE FROM notes WHERE project_key = ? AND owner = ? AND key = ?;

-- name: beat
-- Proves that the file can be written.
UPDATE heartbeat SET at_us = ? WHERE id = 1;

-- name: keep_place
-- The only name under which the file may be used from now on.
UPDATE place SET folder = ?, name = ? WHERE id = 1;
