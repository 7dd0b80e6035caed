-- Reads of callers and of the sweeper, outside of writing transactions, and walks along the ledger.

-- name: project_key
-- The key of a project, and whether it has unfinished deletions.
SELECT p.project_key,
       EXISTS (SELECT 1 FROM pending_deletions AS d WHERE d.project_key = p.project_key AND d.budget_key > 0)
  FROM projects AS p
 WHERE p.project_id = :project_id;

-- name: list_budgets
-- A page of a project's budgets in order of creation, with their main counts. With unfinished
-- deletions (:is_deleting), budgets with a deleted ancestor are not live.
SELECT {c.TOTALS}, {b.BUDGET},
       (SELECT p.budget_id FROM budgets AS p WHERE p.project_key = b.project_key AND p.budget_key = b.parent_key),
       {c.COUNTER}
  FROM projects AS p
 CROSS JOIN budgets AS b ON b.project_key = p.project_key AND b.budget_key > :after_key
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = ''
 WHERE p.project_id = :project_id
   AND (:with_deleted OR b.deleted_at_us IS NULL)
   AND (:with_deleted OR NOT :is_deleting OR b.parent_key IS NULL OR NOT EXISTS (
       WITH RECURSIVE up (budget_key) AS (
           SELECT b.parent_key
            UNION ALL
           SELECT a.parent_key
             FROM up AS u
            CROSS JOIN budgets AS a ON a.project_key = b.project_key AND a.budget_key = u.budget_key
            WHERE a.deleted_at_us IS NULL AND a.parent_key IS NOT NULL
       )
       SELECT 1
         FROM up AS u
        CROSS JOIN budgets AS a ON a.project_key = b.project_key AND a.budget_key = u.budget_key
        WHERE a.deleted_at_us IS NOT NULL))
 ORDER BY b.budget_key
 LIMIT :rows_max;

-- name: load_all_models
-- All sums by model of some budgets. :keys is a JSON array of budget keys.
SELECT c.budget_key, c.model, {c.SUMS}
  FROM json_each(:keys) AS k
 CROSS JOIN counters AS c
    ON c.project_key = :project_key AND c.budget_key = k.value AND c.is_model = 1 AND c.limit_id = '';

-- name: last_seq_of_live
-- The newest entry of a live budget.
SELECT c.last_seq
  FROM budgets AS b
 CROSS JOIN counters AS c
    ON c.project_key = b.project_key AND c.budget_key = b.budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = ''
 WHERE b.project_key = :project_key AND b.budget_id = :budget_id AND b.deleted_at_us IS NULL;

-- name: newest_entries
-- The newest entry of a project, and of one of its budgets.
SELECT (SELECT max(e.seq) FROM entries AS e WHERE e.project_key = :project_key), c.last_seq
  FROM counters AS c
 WHERE c.project_key = :project_key AND c.budget_key = :budget_key
   AND c.is_model = 0 AND c.limit_id = '' AND c.model = '';

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
SELECT b.budget_id, {e.STORED_ENTRY}
  FROM walk AS w
 CROSS JOIN entries AS e ON e.project_key = :project_key AND e.seq = w.seq
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key;

-- name: walk_others
-- The entries of other budgets that also count on this one, from :from_seq down, newest first.
SELECT b.budget_id, {e.STORED_ENTRY}
  FROM entry_budgets AS o
 CROSS JOIN entries AS e ON e.project_key = o.project_key AND e.seq = o.seq
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key
 WHERE o.project_key = :project_key AND o.budget_key = :budget_key AND o.seq <= :from_seq AND o.seq > :until_seq
 ORDER BY o.seq DESC
 LIMIT :rows_max;

-- name: walk_project
-- The entries of a project from :from_seq down, newest first.
SELECT b.budget_id, {e.STORED_ENTRY}
  FROM entries AS e
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key
 WHERE e.project_key = :project_key AND e.seq <= :from_seq
 ORDER BY e.seq DESC
 LIMIT :rows_max;

-- name: budget_names
-- The ids of some budgets. :keys is a JSON array of budget keys.
SELECT b.budget_key, b.budget_id
  FROM json_each(:keys) AS k
 CROSS JOIN budgets AS b ON b.project_key = :project_key AND b.budget_key = k.value;

-- name: list_reservations
-- The reservations of a project from :from_seq down, newest first.
SELECT b.budget_id, {r.RESERVATION}, {e.HOLD_ENTRY}
  FROM reservations AS r
 CROSS JOIN entries AS e ON e.project_key = r.project_key AND e.seq = r.seq
 CROSS JOIN budgets AS b ON b.project_key = r.project_key AND b.budget_key = r.budget_key
 WHERE r.project_key = :project_key AND r.seq <= :from_seq
 ORDER BY r.seq DESC
 LIMIT :rows_max;

-- name: due_holds
-- Open holds that have to expire, the longest overdue first.
SELECT p.project_id, r.seq
  FROM reservations AS r INDEXED BY reservations_by_expiry
 CROSS JOIN projects AS p ON p.project_key = r.project_key
 WHERE r.state = 1 AND r.expires_at_us <= :now_us
 ORDER BY r.expires_at_us
 LIMIT :rows_max;

-- name: due_windows
-- Budgets with a window that is over, the longest overdue first, once for each such window.
SELECT p.project_id, b.budget_id
  FROM counters AS c INDEXED BY counters_by_window_end
 CROSS JOIN projects AS p ON p.project_key = c.project_key
 CROSS JOIN budgets AS b ON b.project_key = c.project_key AND b.budget_key = c.budget_key
 WHERE c.is_swept = 1 AND c.window_end_at_us <= :now_us
 ORDER BY c.window_end_at_us
 LIMIT :rows_max;

-- name: due_deletions
-- Projects with unfinished deletions.
WITH RECURSIVE w (project_key) AS (
    SELECT (SELECT min(d.project_key) FROM pending_deletions AS d)
     UNION ALL
    SELECT (SELECT min(d.project_key) FROM pending_deletions AS d WHERE d.project_key > w.project_key)
      FROM w
     WHERE w.project_key IS NOT NULL
)
SELECT p.project_id
  FROM w
 CROSS JOIN projects AS p ON p.project_key = w.project_key
 LIMIT :rows_max;

-- name: entries_by_number
-- Some entries of a project. :seqs is a JSON array of their numbers.
SELECT b.budget_id, {e.STORED_ENTRY}
  FROM projects AS p
 CROSS JOIN json_each(:seqs) AS k
 CROSS JOIN entries AS e ON e.project_key = p.project_key AND e.seq = k.value
 CROSS JOIN budgets AS b ON b.project_key = e.project_key AND b.budget_key = e.budget_key
 WHERE p.project_id = :project_id;

-- name: kept_place
-- The only name under which the file may be used.
SELECT folder, name FROM place WHERE id = 1;
