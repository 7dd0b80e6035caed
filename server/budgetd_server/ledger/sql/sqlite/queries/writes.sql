-- What a transaction writes. Each statement stands under its name, with a sentence.

-- name: insert_project
-- A project is made by its first budget.
INSERT INTO projects (project_key, project_id) VALUES (?, ?);

-- name: save_budget
-- A budget's configuration, new or changed.
INSERT INTO budgets (
    project_key, budget_key, budget_id, parent_key, is_template, named_count, labels, version,
    created_at_us, updated_at_us, deleted_at_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key) DO UPDATE SET
    parent_key = excluded.parent_key,
    named_count = excluded.named_count,
    labels = excluded.labels,
    version = excluded.version,
    created_at_us = excluded.created_at_us,
    updated_at_us = excluded.updated_at_us,
    deleted_at_us = excluded.deleted_at_us;

-- name: save_counter
-- The count of a limit with its rule, new or changed.
INSERT INTO counters (
    project_key, budget_key, is_model, limit_id, model,
    unit, amount, window, models, action, reset_mode, alert_ratios, is_swept,
    window_start_at_us, window_end_at_us, since_seq,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls,
    burn_rate_per_hour, burn_at_us, held, alerts_fired, models_count, lifetime_cost_nano_usd, last_seq
) VALUES (?, ?, 0, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET
    unit = excluded.unit,
    amount = excluded.amount,
    window = excluded.window,
    models = excluded.models,
    action = excluded.action,
    reset_mode = excluded.reset_mode,
    alert_ratios = excluded.alert_ratios,
    is_swept = excluded.is_swept,
    window_start_at_us = excluded.window_start_at_us,
    window_end_at_us = excluded.window_end_at_us,
    since_seq = excluded.since_seq,
    cost_nano_usd = excluded.cost_nano_usd,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    calls = excluded.calls,
    burn_rate_per_hour = excluded.burn_rate_per_hour,
    burn_at_us = excluded.burn_at_us,
    held = excluded.held,
    alerts_fired = excluded.alerts_fired,
    models_count = excluded.models_count,
    lifetime_cost_nano_usd = excluded.lifetime_cost_nano_usd,
    last_seq = excluded.last_seq;

-- name: save_count
-- The count of a limit whose rule has not changed: what every charge writes.
INSERT INTO counters (
    project_key, budget_key, is_model, limit_id, model,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls,
    burn_rate_per_hour, burn_at_us, held, alerts_fired, models_count, lifetime_cost_nano_usd, last_seq
) VALUES (?, ?, 0, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET
    cost_nano_usd = excluded.cost_nano_usd,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    calls = excluded.calls,
    burn_rate_per_hour = excluded.burn_rate_per_hour,
    burn_at_us = excluded.burn_at_us,
    held = excluded.held,
    alerts_fired = excluded.alerts_fired,
    models_count = excluded.models_count,
    lifetime_cost_nano_usd = excluded.lifetime_cost_nano_usd,
    last_seq = excluded.last_seq;

-- name: remove_counter
-- Forgets a limit that was taken away.
DELETE FROM counters WHERE project_key = ? AND budget_key = ? AND is_model = 0 AND limit_id = ?;

-- name: clear_models
-- Forgets the parts by model, when their count begins again.
DELETE FROM counters WHERE project_key = ? AND budget_key = ? AND is_model = 1;

-- name: save_model
-- The part of one model.
INSERT INTO counters (
    project_key, budget_key, is_model, limit_id, model,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls
) VALUES (?, ?, 1, '', ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, is_model, limit_id, model) DO UPDATE SET
    cost_nano_usd = excluded.cost_nano_usd,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    calls = excluded.calls;

-- name: note_deletion
-- That a budget was deleted and some right below it are to follow, if there are any.
INSERT INTO pending_deletions (project_key, budget_key, request_id)
SELECT :project_key, :budget_key, :request_id
 WHERE EXISTS (SELECT 1
                 FROM budgets AS b INDEXED BY budgets_by_parent
                WHERE b.project_key = :project_key AND b.parent_key = :budget_key AND b.deleted_at_us IS NULL);

-- name: settle_deletion
-- That none right below it are to follow any more, if so.
DELETE FROM pending_deletions
 WHERE project_key = :project_key AND budget_key = :budget_key
   AND NOT EXISTS (SELECT 1
                     FROM budgets AS b INDEXED BY budgets_by_parent
                    WHERE b.project_key = :project_key AND b.parent_key = :budget_key AND b.deleted_at_us IS NULL);

-- name: insert_entry
-- One more row of the ledger.
INSERT INTO entries (
    project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,
    input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens,
    model, request_id, labels, reason, event_at_us, price_version, windows_skipped, calls, cost_source, other_names,
    reservation_seq, adjusted_seq, is_estimated, is_late, overage_nano_usd, limit_id, usage_parts, terms,
    unread_fields, other_keys
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_plain_entry
-- The same of an entry that has nothing to tell in the other columns, as most charges.
INSERT INTO entries (
    project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,
    input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens,
    model, request_id, labels, reason, event_at_us, price_version, windows_skipped, calls, cost_source, other_names
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_entry_budget
-- That an entry counts on a budget beside its own.
INSERT INTO entry_budgets (project_key, budget_key, seq) VALUES (?, ?, ?);

-- name: save_reservation
-- A reservation, new or changed.
INSERT INTO reservations (
    project_key, seq, budget_key, state, held_nano_usd, held_input_tokens, held_output_tokens, held_calls,
    on_expiry, created_at_us, expires_at_us, ended_at_us, ended_seq
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, seq) DO UPDATE SET
    state = excluded.state,
    held_nano_usd = excluded.held_nano_usd,
    held_input_tokens = excluded.held_input_tokens,
    held_output_tokens = excluded.held_output_tokens,
    held_calls = excluded.held_calls,
    expires_at_us = excluded.expires_at_us,
    ended_at_us = excluded.ended_at_us,
    ended_seq = excluded.ended_seq;

-- name: insert_hold
-- That an open hold counts on a budget.
INSERT INTO open_holds (project_key, budget_key, expires_at_us, seq) VALUES (?, ?, ?, ?);

-- name: remove_hold
-- That it does no more, or expires at another time.
DELETE FROM open_holds WHERE project_key = ? AND budget_key = ? AND expires_at_us = ? AND seq = ?;

-- name: insert_request
-- A request id that takes effect.
INSERT INTO request_ids (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us, more)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_plain_request
-- The same of one whose answer has no other numbers.
INSERT INTO request_ids (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: save_accepted
-- What was accepted last of one record of a client.
INSERT INTO accepted_records (
    project_key, client, budget_id, record, accepted_at_us, former_window_at_us
) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, client, budget_id) DO UPDATE SET
    record = excluded.record,
    accepted_at_us = excluded.accepted_at_us,
    former_window_at_us = excluded.former_window_at_us;

-- name: forget_accepted
-- Forgets what was accepted of one record of a client.
DELETE FROM accepted_records WHERE project_key = ? AND client = ? AND budget_id = ?;

-- name: beat
-- Proves that the file takes writes.
UPDATE heartbeat SET at_us = ? WHERE id = 1;

-- name: keep_place
-- The only name under which the file may be used from now on.
UPDATE place SET folder = ?, name = ? WHERE id = 1;
