-- Budgets that were deleted with others below them of which some rows still say that they live: those right below it are
-- deleted in steps, and each of them that has others below it then has a row here, too.
CREATE TABLE pending_deletions (
    project_key INTEGER NOT NULL,
    budget_key  INTEGER NOT NULL,
    request_id  TEXT NOT NULL,    -- Of the deletion; the entries of all that is deleted with it carry it.
    PRIMARY KEY (project_key, budget_key)
) STRICT, WITHOUT ROWID;

-- The live children of a budget are found, and counted, in the index alone: one budget may have tens of thousands.
DROP INDEX budgets_by_parent;
CREATE INDEX budgets_by_parent ON budgets (project_key, parent_key, deleted_at_us) WHERE parent_key IS NOT NULL;
