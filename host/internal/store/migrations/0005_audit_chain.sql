-- Entries of the Activity Log are sealed, each over the one before it: one chain for every replica.
-- What was written before has no chain; how much that was is kept as the chain without a name.

ALTER TABLE audit_entries ADD COLUMN chain TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_entries ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_entries ADD COLUMN seal TEXT NOT NULL DEFAULT '';
-- Not unique: who slips in a row shall be found out, not able to stop the log.
CREATE INDEX audit_entries_chain ON audit_entries (chain, seq);

CREATE TABLE audit_chains (
    chain     TEXT PRIMARY KEY,
    seq       BIGINT NOT NULL,
    seal      TEXT NOT NULL,
    from_seq  BIGINT NOT NULL,
    from_seal TEXT NOT NULL
);
INSERT INTO audit_chains (chain, seq, seal, from_seq, from_seal) SELECT '', COUNT(*), '', COALESCE(MAX(id), 0), '' FROM audit_entries;
