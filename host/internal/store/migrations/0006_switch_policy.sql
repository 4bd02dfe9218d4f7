-- What a switch is for, how it was widened, who ended it and who is to be told when it ends.

ALTER TABLE session_switches ADD COLUMN ticket TEXT NOT NULL DEFAULT '';
ALTER TABLE session_switches ADD COLUMN elevated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_switches ADD COLUMN extensions BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session_switches ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';
ALTER TABLE session_switches ADD COLUMN customer_id BIGINT NOT NULL DEFAULT 0;
-- Who is to be told of its end, as JSON, empty for nobody.
ALTER TABLE session_switches ADD COLUMN notices TEXT NOT NULL DEFAULT '';

UPDATE session_switches SET customer_id = COALESCE((SELECT c.customer_id FROM contacts c WHERE c.id = session_switches.subject_id), 0) WHERE subject_kind = 'contact';

CREATE INDEX session_switches_subject ON session_switches (subject_kind, subject_id, id);
CREATE INDEX session_switches_customer ON session_switches (customer_id, id);
-- Who becomes unusually many is asked about at each start: by time, however long the record is.
CREATE INDEX session_switches_recent ON session_switches (actor_kind, actor_id, started_at);
