-- The processes that serve this database now, by their names: one that gave no sign for 30 s is gone.
-- home is the data folder it lives in, run the process. Times are the database's own.
CREATE TABLE replicas (
	name       TEXT PRIMARY KEY,
	home       TEXT NOT NULL,
	run        TEXT NOT NULL,
	version    TEXT NOT NULL,
	knows      BIGINT NOT NULL, -- the last migration it knows
	started_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL
);
