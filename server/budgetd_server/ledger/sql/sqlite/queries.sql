-- What the SQLite ledger asks and tells its file. Each statement stands under its name, with a sentence.

-- name: load_projects
-- The projects of a batch and the number of each one's newest entry. :ids is a JSON array.
SELECT p.project_id,
       p.project_key,
       (SELECT coalesce(max(e.seq), 0) FROM entries AS e WHERE e.project_key = p.project_key)
  FROM json_each(:ids) AS k
 CROSS JOIN projects AS p ON p.project_id = k.value;

-- name: last_budget_key
-- The key of a project's newest budget.
SELECT coalesce(max(budget_key), 0) FROM budgets WHERE project_key = :project_key;

-- name: load_budgets
-- The live budgets of a batch, with their main counts, as one JSON array. :ids is a JSON array of budget ids.
SELECT json_group_array(json_array(
       b.project_key, b.budget_key, b.budget_id, b.labels, b.version,
       b.created_at_us, b.updated_at_us, b.deleted_at_us,
       c.amount, c.window, c.action, c.reset_mode, c.window_start_at_us, c.window_end_at_us, c.since_seq,
       c.cost_nano_usd, c.input_tokens, c.output_tokens, c.cached_input_tokens, c.cache_write_tokens,
       c.reasoning_tokens, c.calls, c.burn_rate_per_hour, c.burn_at_us,
       c.models_count, c.lifetime_cost_nano_usd, c.last_seq))
  FROM json_each(:ids) AS k
 CROSS JOIN budgets AS b
    ON b.project_key = :project_key AND b.budget_id = k.value AND b.deleted_at_us IS NULL
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.limit_id = '' AND c.is_model = 0 AND c.model = '';

-- name: list_budgets
-- A page of a project's budgets in order of creation, with their main counts.
SELECT b.project_key, b.budget_key, b.budget_id, b.labels, b.version,
       b.created_at_us, b.updated_at_us, b.deleted_at_us,
       c.amount, c.window, c.action, c.reset_mode, c.window_start_at_us, c.window_end_at_us, c.since_seq,
       c.cost_nano_usd, c.input_tokens, c.output_tokens, c.cached_input_tokens, c.cache_write_tokens,
       c.reasoning_tokens, c.calls, c.burn_rate_per_hour, c.burn_at_us,
       c.models_count, c.lifetime_cost_nano_usd, c.last_seq
  FROM projects AS p
 CROSS JOIN budgets AS b ON b.project_key = p.project_key AND b.budget_key > :after_key
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.limit_id = '' AND c.is_model = 0 AND c.model = ''
 WHERE p.project_id = :project_id
   AND (:with_deleted OR b.deleted_at_us IS NULL)
 ORDER BY b.budget_key
 LIMIT :rows_max;

-- name: load_models
-- The parts by model that a batch touches, as one JSON array. :pairs is a JSON array of [budget key, model].
SELECT json_group_array(json_array(
       c.budget_key, c.model, c.cost_nano_usd, c.input_tokens, c.output_tokens, c.cached_input_tokens,
       c.cache_write_tokens, c.reasoning_tokens, c.calls))
  FROM json_each(:pairs) AS k
 CROSS JOIN counters AS c
    ON c.project_key = :project_key AND c.budget_key = k.value ->> 0
   AND c.limit_id = '' AND c.is_model = 1 AND c.model = k.value ->> 1;

-- name: load_all_models
-- All parts by model of some budgets. :keys is a JSON array of budget keys.
SELECT c.budget_key, c.model, c.cost_nano_usd, c.input_tokens, c.output_tokens, c.cached_input_tokens,
       c.cache_write_tokens, c.reasoning_tokens, c.calls
  FROM json_each(:keys) AS k
 CROSS JOIN counters AS c
    ON c.project_key = :project_key AND c.budget_key = k.value AND c.limit_id = '' AND c.is_model = 1;

-- name: load_requests
-- Those of some request ids that have taken effect. :ids is a JSON array.
SELECT r.request_id, r.fingerprint, r.entry_seq, r.result
  FROM json_each(:ids) AS k
 CROSS JOIN requests AS r
    ON r.project_key = :project_key AND r.rpc = :rpc AND r.request_id = k.value;

-- name: last_seq_of_deleted
-- The newest entry of a budget id that has no live budget. Left alone, SQLite looks through the project's budgets.
SELECT c.last_seq
  FROM budgets AS b INDEXED BY budgets_deleted
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.limit_id = '' AND c.is_model = 0 AND c.model = ''
 WHERE b.project_key = :project_key AND b.budget_id = :budget_id AND b.deleted_at_us IS NOT NULL
 ORDER BY b.budget_key DESC
 LIMIT 1;

-- name: last_seq_of_live
-- The newest entry of a live budget.
SELECT c.last_seq
  FROM budgets AS b
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.limit_id = '' AND c.is_model = 0 AND c.model = ''
 WHERE b.project_key = :project_key AND b.budget_id = :budget_id AND b.deleted_at_us IS NULL;

-- name: project_key
-- The key of a project.
SELECT project_key FROM projects WHERE project_id = :project_id;

-- name: walk_chain
-- The entries of one budget id from :from_seq down, newest first, along their chain.
WITH RECURSIVE walk (seq, previous_seq, n) AS (
    SELECT e.seq, e.previous_seq, 1
      FROM entries AS e
     WHERE e.project_key = :project_key AND e.seq = :from_seq
     UNION ALL
    SELECT e.seq, e.previous_seq, w.n + 1
      FROM walk AS w
     CROSS JOIN entries AS e ON e.project_key = :project_key AND e.seq = w.previous_seq
     WHERE w.n < :rows_max AND w.previous_seq > :until_seq
)
SELECT b.budget_id,
       e.project_key, e.seq, e.budget_key, e.previous_seq, e.kind, e.created_at_us, e.cost_nano_usd,
       e.input_tokens, e.output_tokens, e.cached_input_tokens, e.cache_write_tokens, e.reasoning_tokens,
       e.model, e.request_id, e.labels, e.reason, e.event_at_us, e.price_version, e.windows_skipped
  FROM walk AS w
 CROSS JOIN entries AS e ON e.project_key = :project_key AND e.seq = w.seq
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key;

-- name: walk_project
-- The entries of a project from :from_seq down, newest first.
SELECT b.budget_id,
       e.project_key, e.seq, e.budget_key, e.previous_seq, e.kind, e.created_at_us, e.cost_nano_usd,
       e.input_tokens, e.output_tokens, e.cached_input_tokens, e.cache_write_tokens, e.reasoning_tokens,
       e.model, e.request_id, e.labels, e.reason, e.event_at_us, e.price_version, e.windows_skipped
  FROM entries AS e
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key
 WHERE e.project_key = :project_key AND e.seq <= :from_seq
 ORDER BY e.seq DESC
 LIMIT :rows_max;

-- name: insert_project
-- A project is made by its first budget.
INSERT INTO projects (project_key, project_id) VALUES (?, ?);

-- name: last_project_key
-- The key of the newest project.
SELECT coalesce(max(project_key), 0) FROM projects;

-- name: save_budget
-- A budget's configuration, new or changed.
INSERT INTO budgets (
    project_key, budget_key, budget_id, labels, version, created_at_us, updated_at_us, deleted_at_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key) DO UPDATE SET
    labels = excluded.labels,
    version = excluded.version,
    created_at_us = excluded.created_at_us,
    updated_at_us = excluded.updated_at_us,
    deleted_at_us = excluded.deleted_at_us;

-- name: save_counter
-- A main count with its rule, new or changed.
INSERT INTO counters (
    project_key, budget_key, limit_id, is_model, model,
    amount, window, action, reset_mode, window_start_at_us, window_end_at_us, since_seq,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls,
    burn_rate_per_hour, burn_at_us, models_count, lifetime_cost_nano_usd, last_seq
) VALUES (?, ?, '', 0, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, limit_id, is_model, model) DO UPDATE SET
    amount = excluded.amount,
    window = excluded.window,
    action = excluded.action,
    reset_mode = excluded.reset_mode,
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
    models_count = excluded.models_count,
    lifetime_cost_nano_usd = excluded.lifetime_cost_nano_usd,
    last_seq = excluded.last_seq;

-- name: save_count
-- A main count whose rule has not changed: what every charge writes.
INSERT INTO counters (
    project_key, budget_key, limit_id, is_model, model,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls,
    burn_rate_per_hour, burn_at_us, models_count, lifetime_cost_nano_usd, last_seq
) VALUES (?, ?, '', 0, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, limit_id, is_model, model) DO UPDATE SET
    cost_nano_usd = excluded.cost_nano_usd,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    calls = excluded.calls,
    burn_rate_per_hour = excluded.burn_rate_per_hour,
    burn_at_us = excluded.burn_at_us,
    models_count = excluded.models_count,
    lifetime_cost_nano_usd = excluded.lifetime_cost_nano_usd,
    last_seq = excluded.last_seq;

-- name: clear_models
-- Forgets the parts by model, when their count begins again.
DELETE FROM counters WHERE project_key = ? AND budget_key = ? AND limit_id = '' AND is_model = 1;

-- name: save_model
-- The part of one model.
INSERT INTO counters (
    project_key, budget_key, limit_id, is_model, model,
    cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls
) VALUES (?, ?, '', 1, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, budget_key, limit_id, is_model, model) DO UPDATE SET
    cost_nano_usd = excluded.cost_nano_usd,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cached_input_tokens = excluded.cached_input_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    calls = excluded.calls;

-- name: insert_entry
-- One more row of the ledger.
INSERT INTO entries (
    project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,
    input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens,
    model, request_id, labels, reason, event_at_us, price_version, windows_skipped
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_request
-- A request id that takes effect.
INSERT INTO requests (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: beat
-- Proves that the file takes writes.
UPDATE heartbeat SET at_us = ? WHERE id = 1;

-- name: verify_counts
-- Every main count, for a recount.
SELECT b.project_key, b.budget_key, b.budget_id, c.since_seq, c.lifetime_cost_nano_usd, c.last_seq,
       c.cost_nano_usd, c.input_tokens, c.output_tokens, c.cached_input_tokens, c.cache_write_tokens,
       c.reasoning_tokens, c.calls
  FROM budgets AS b
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.limit_id = '' AND c.is_model = 0 AND c.model = '';

-- name: verify_models
-- Every part by model, for a recount.
SELECT project_key, budget_key, model, cost_nano_usd, input_tokens, output_tokens, cached_input_tokens,
       cache_write_tokens, reasoning_tokens, calls
  FROM counters
 WHERE is_model = 1;

-- name: verify_entries
-- The whole ledger, oldest entry first.
SELECT project_key, seq, budget_key, previous_seq, kind, model, cost_nano_usd,
       input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens
  FROM entries
 ORDER BY project_key, seq;

-- name: verify_requests
-- Every request id beside the entry that it names.
SELECT r.rpc, r.request_id, r.entry_seq, r.result, e.kind, e.request_id, e.cost_nano_usd
  FROM requests AS r
  LEFT JOIN entries AS e ON e.project_key = r.project_key AND e.seq = r.entry_seq;

-- name: verify_double_effects
-- Request ids under which more than one charge or adjustment was written.
SELECT request_id, kind, count(*)
  FROM entries
 WHERE kind IN (1, 6) AND request_id <> ''
 GROUP BY project_key, kind, request_id
HAVING count(*) > 1;
