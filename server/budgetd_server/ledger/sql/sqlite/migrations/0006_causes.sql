-- Why the server wrote an entry, as a number; until now by a text in `reason`, which only corrections fill from here on.
ALTER TABLE entries ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;  -- 0: the kind says it.

-- Entries never change, except here: what the texts say is said once more, as numbers.
DROP TRIGGER entries_are_never_changed;
UPDATE entries
   SET cause = CASE WHEN kind = 7 AND reason = 'window ended'       THEN 1
                    WHEN kind = 7 AND reason = 'requested'          THEN 2
                    WHEN kind = 7 AND reason = 'clock stepped back' THEN 3
                    WHEN kind = 8 AND reason = 'replaced'           THEN 4
                    WHEN kind = 8 AND reason = 'from template'      THEN 5
                    WHEN kind = 4 AND reason = 'budget deleted'     THEN 6
                    ELSE 0 END
 WHERE kind IN (4, 7, 8) AND reason <> '';
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
