-- What a transaction loads for its commands. Each statement has a name and a description.

-- name: load_projects
-- The projects of a batch, the number of the newest entry of each, and whether it has unfinished deletions. :ids is a JSON
-- array.
SELECT p.project_id,
       p.project_key,
       (SELECT coalesce(max(e.seq), 0) FROM entries AS e WHERE e.project_key = p.project_key),
       EXISTS (SELECT 1 FROM pending_deletions AS d WHERE d.project_key = p.project_key)
  FROM json_each(:ids) AS k
 CROSS JOIN projects AS p ON p.project_id = k.value;

-- name: last_project_key
-- The key of the newest project.
SELECT coalesce(max(project_key), 0) FROM projects;

-- name: last_budget_key
-- The key of a project's newest budget.
SELECT coalesce(max(budget_key), 0) FROM budgets WHERE project_key = :project_key;

-- name: load_budgets
-- The live budgets of a batch, with their main counts, as one JSON array. :ids is a JSON array of budget ids.
SELECT json_group_array(json_array(
       {c.TOTALS}, {b.BUDGET},
       (SELECT p.budget_id FROM budgets AS p WHERE p.project_key = b.project_key AND p.budget_key = b.parent_key),
       {c.COUNTER}))
  FROM json_each(:ids) AS k
 CROSS JOIN budgets AS b
    ON b.project_key = :project_key AND b.budget_id = k.value AND b.deleted_at_us IS NULL
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = '';

-- name: load_upwards
-- Budgets by key, deleted or not, and all their ancestors. :keys is a JSON array.
WITH RECURSIVE up (budget_key) AS (
    SELECT value FROM json_each(:keys)
     UNION
    SELECT b.parent_key
      FROM up AS u
     CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = u.budget_key
     WHERE b.parent_key IS NOT NULL
)
SELECT {c.TOTALS}, {b.BUDGET},
       (SELECT p.budget_id FROM budgets AS p WHERE p.project_key = b.project_key AND p.budget_key = b.parent_key),
       {c.COUNTER}
  FROM up AS u
 CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = u.budget_key
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = '';

-- name: load_children
-- The keys of the live children of some budgets, at most :rows_max. :keys is a JSON array.
SELECT b.budget_key
  FROM json_each(:keys) AS k
 CROSS JOIN budgets AS b INDEXED BY budgets_by_parent
    ON b.project_key = :project_key AND b.parent_key = k.value AND b.deleted_at_us IS NULL
 LIMIT :rows_max;

-- name: count_children
-- The number of live children of a budget.
SELECT count(*)
  FROM budgets AS b INDEXED BY budgets_by_parent
 WHERE b.project_key = :project_key AND b.parent_key = :budget_key AND b.deleted_at_us IS NULL;

-- name: measure_tree
-- For a budget with children: the number of budgets in its live tree, itself included, and the number of levels. Below it,
-- only budgets with children are walked. :keys is a JSON array of the one key.
WITH RECURSIVE down (budget_key, level) AS (
    SELECT value, 1 FROM json_each(:keys)
     UNION
    SELECT b.budget_key, d.level + 1
      FROM down AS d
     CROSS JOIN budgets AS b INDEXED BY budgets_by_parent
        ON b.project_key = :project_key AND b.parent_key = d.budget_key
     WHERE b.deleted_at_us IS NULL
       AND d.level <= :levels_max
       AND EXISTS (SELECT 1
                     FROM budgets AS c INDEXED BY budgets_by_parent
                    WHERE c.project_key = :project_key AND c.parent_key = b.budget_key AND c.deleted_at_us IS NULL)
)
SELECT 1 + sum((SELECT count(*)
                  FROM budgets AS c INDEXED BY budgets_by_parent
                 WHERE c.project_key = :project_key AND c.parent_key = d.budget_key AND c.deleted_at_us IS NULL)),
       max(d.level) + 1
  FROM down AS d;

-- name: load_unfinished
-- Those of some budgets whose own rows are live, but that have a deleted ancestor: when that was deleted, and by which
-- request id. :keys is a JSON array of budget keys.
WITH RECURSIVE up (budget_key, above_key) AS (
    SELECT b.budget_key, b.parent_key
      FROM json_each(:keys) AS k
     CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = k.value
     UNION ALL
    SELECT u.budget_key, b.parent_key
      FROM up AS u
     CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = u.above_key
     WHERE b.deleted_at_us IS NULL
)
SELECT u.budget_key, b.deleted_at_us, d.request_id
  FROM up AS u
 CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = u.above_key
 CROSS JOIN pending_deletions AS d ON d.project_key = :project_key AND d.budget_key = u.above_key
 WHERE b.deleted_at_us IS NOT NULL;

-- name: load_pending_deletions
-- The keys of deleted budgets with children still to be deleted, at most :rows_max.
SELECT d.budget_key
  FROM pending_deletions AS d
 WHERE d.project_key = :project_key AND d.budget_key > 0
 ORDER BY d.budget_key
 LIMIT :rows_max;

-- name: load_named
-- The named limits of some budgets, with their counts. :keys is a JSON array of budget keys.
SELECT c.budget_key, {c.COUNTER}
  FROM json_each(:keys) AS k
 CROSS JOIN counters AS c
    ON c.project_key = :project_key AND c.budget_key = k.value AND c.is_model = 0 AND c.limit_id > ''
 ORDER BY c.budget_key, c.limit_id;

-- name: load_models
-- The sums by model that a batch touches, as one JSON array. :pairs is a JSON array of [budget key, model].
SELECT json_group_array(json_array(
       c.budget_key, c.model, {c.SUMS}))
  FROM json_each(:pairs) AS k
 CROSS JOIN counters AS c
    ON c.project_key = :project_key AND c.budget_key = k.value ->> 0
   AND c.is_model = 1 AND c.limit_id = '' AND c.model = k.value ->> 1;

-- name: load_requests
-- Those of the given request ids that have taken effect. :ids is a JSON array.
SELECT r.request_id, r.fingerprint, r.entry_seq, r.result, r.more
  FROM json_each(:ids) AS k
 CROSS JOIN request_ids AS r
    ON r.project_key = :project_key AND r.rpc = :rpc AND r.request_id = k.value;

-- name: last_seq_of_deleted
-- The newest entry of a budget id that has no live budget. Without INDEXED BY, SQLite scans the project's budgets.
SELECT c.last_seq
  FROM budgets AS b INDEXED BY budgets_deleted
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = ''
 WHERE b.project_key = :project_key AND b.budget_id = :budget_id AND b.deleted_at_us IS NOT NULL
 ORDER BY b.budget_key DESC
 LIMIT 1;

-- name: load_reservations
-- Reservations by the numbers of the entries that made them. :seqs is a JSON array.
SELECT b.budget_id, {r.RESERVATION}, {e.HOLD_ENTRY}
  FROM json_each(:seqs) AS k
 CROSS JOIN reservations AS r ON r.project_key = :project_key AND r.seq = k.value
 CROSS JOIN entries AS e ON e.project_key = r.project_key AND e.seq = r.seq
 CROSS JOIN budgets AS b ON b.project_key = r.project_key AND b.budget_key = r.budget_key;

-- name: load_first_holds
-- The due open holds on some budgets, and :next_max of those that are due next. :keys is a JSON array.
SELECT DISTINCT h.seq
  FROM json_each(:keys) AS k
 CROSS JOIN open_holds AS h
    ON h.project_key = :project_key AND h.budget_key = k.value
   AND h.expires_at_us <= ifnull(
       (SELECT n.expires_at_us
          FROM open_holds AS n
         WHERE n.project_key = :project_key AND n.budget_key = k.value AND n.expires_at_us > :now_us
         ORDER BY n.expires_at_us
         LIMIT 1 OFFSET :next_max - 1),
       9223372036854775807);

-- name: load_holds
-- All open holds on some budgets. :keys is a JSON array of budget keys.
SELECT DISTINCT h.seq
  FROM json_each(:keys) AS k
 CROSS JOIN open_holds AS h ON h.project_key = :project_key AND h.budget_key = k.value;

-- name: load_own_holds
-- The open holds that were made on some budgets. :keys is a JSON array of budget keys.
SELECT h.seq
  FROM json_each(:keys) AS k
 CROSS JOIN open_holds AS h ON h.project_key = :project_key AND h.budget_key = k.value
 CROSS JOIN reservations AS r ON r.project_key = h.project_key AND r.seq = h.seq
 WHERE r.budget_key = k.value;

-- name: load_corrected
-- Entries by number, each with the sum of its corrections. :seqs is a JSON array.
SELECT (SELECT coalesce(sum(a.cost_nano_usd), 0)
          FROM entries AS a INDEXED BY entries_by_adjusted
         WHERE a.project_key = :project_key AND a.adjusted_seq = e.seq),
       b.budget_id, {e.STORED_ENTRY}
  FROM json_each(:seqs) AS k
 CROSS JOIN entries AS e ON e.project_key = :project_key AND e.seq = k.value
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key;

-- name: load_notes
-- Notes of a project. :keys is a JSON array of pairs [owner, key].
SELECT n.owner, n.key, n.note
  FROM json_each(:keys) AS k
 CROSS JOIN notes AS n
    ON n.project_key = :project_key AND n.owner = k.value ->> 0 AND n.key = k.value ->> 1;
