-- What an entry tells of a call beyond its tokens, and every name that limits have matched it by.
ALTER TABLE entries ADD COLUMN cost_source INTEGER NOT NULL DEFAULT 0;  -- Who told the cost; 0: not kept.
ALTER TABLE entries ADD COLUMN other_names TEXT;    -- A JSON array of the model's other names; NULL: catalogue_model.
ALTER TABLE entries ADD COLUMN usage_parts TEXT;    -- A JSON object of counts; NULL: none.
ALTER TABLE entries ADD COLUMN terms TEXT;          -- A JSON array: how the call was served; NULL: as usual.
ALTER TABLE entries ADD COLUMN unread_fields TEXT;  -- A JSON array of paths in the provider's answer; NULL: none.
