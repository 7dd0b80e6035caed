-- The live children of a budget are found, and counted, in the index alone: one budget may have tens of thousands.
DROP INDEX budgets_by_parent;
CREATE INDEX budgets_by_parent ON budgets (project_key, parent_key, deleted_at_us) WHERE parent_key IS NOT NULL;
