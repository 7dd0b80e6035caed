-- Reads of `budgetd verify`: the whole file, once.

-- name: verify_budgets
-- Every budget, for a recount.
SELECT b.project_key, b.budget_key, b.budget_id, b.parent_key, b.deleted_at_us, b.named_count,
       c.lifetime_cost_nano_usd, c.last_seq
  FROM budgets AS b
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = '';

-- name: verify_pending_deletions
-- The deleted budgets with children still to be deleted.
SELECT project_key, budget_key FROM pending_deletions;

-- name: verify_limits
-- The count of every limit, for a recount.
SELECT project_key, budget_key, limit_id, unit, models, since_seq, held,
       cost_nano_usd, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls
  FROM counters
 WHERE is_model = 0;

-- name: verify_models
-- Every sum by model, for a recount.
SELECT project_key, budget_key, model, cost_nano_usd, input_tokens, output_tokens, cached_input_tokens,
       cache_write_tokens, reasoning_tokens, calls
  FROM counters
 WHERE is_model = 1;

-- name: verify_entries
-- The whole ledger, oldest entry first.
SELECT project_key, seq, budget_key, previous_seq, kind, model, other_names, catalogue_name, other_keys,
       adjusted_seq, reservation_seq, is_estimated, cost_nano_usd,
       input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, calls
  FROM entries
 ORDER BY project_key, seq;

-- name: verify_entry_budgets
-- The entries that also count on other budgets, with these, oldest entry first.
SELECT project_key, seq, budget_key FROM entry_budgets ORDER BY project_key, seq;

-- name: verify_reservations
-- Every reservation, with the fields of its entry.
SELECT r.project_key, r.seq, r.budget_key, r.state, r.held_nano_usd,
       ifnull(r.held_input_tokens, 0) + ifnull(r.held_output_tokens, 0), r.held_calls, r.expires_at_us,
       e.kind, e.budget_key, e.model, e.other_names, e.catalogue_name, e.other_keys
  FROM reservations AS r
  LEFT JOIN entries AS e ON e.project_key = r.project_key AND e.seq = r.seq
 ORDER BY r.project_key, r.seq;

-- name: verify_holds
-- Every open hold by budget, in the order of the reservations.
SELECT project_key, seq, budget_key, expires_at_us FROM open_holds ORDER BY project_key, seq;

-- name: verify_requests
-- Every request id, with the entry that it refers to.
SELECT r.rpc, r.request_id, r.entry_seq, r.result, e.kind, e.request_id, e.cost_nano_usd, e.adjusted_seq
  FROM request_ids AS r
  LEFT JOIN entries AS e ON e.project_key = r.project_key AND e.seq = r.entry_seq;

-- name: verify_double_effects
-- Request ids under which more than one charge, hold, settlement or adjustment was written.
SELECT request_id, kind, count(*)
  FROM entries
 WHERE kind IN (1, 2, 3, 6) AND request_id <> ''
 GROUP BY project_key, kind, request_id
HAVING count(*) > 1;
