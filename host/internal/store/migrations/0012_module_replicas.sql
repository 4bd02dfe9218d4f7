-- What each replica says of each module: what it runs, and how that is. state's words are the module
-- package's own.
CREATE TABLE module_replicas (
	module  TEXT NOT NULL,
	replica TEXT NOT NULL,
	version TEXT NOT NULL,
	sha256  TEXT NOT NULL,
	state   TEXT NOT NULL,
	problem TEXT NOT NULL,
	since   BIGINT NOT NULL,
	PRIMARY KEY (module, replica)
);

-- How often a module ended by itself on each replica, and why it was given up there: one machine on
-- which it can't run says nothing of the others. It outlives the replica's process.
CREATE TABLE module_crashes (
	module     TEXT NOT NULL,
	replica    TEXT NOT NULL,
	crashes    BIGINT NOT NULL,
	crashed_at BIGINT NOT NULL,
	failure    TEXT NOT NULL,
	PRIMARY KEY (module, replica)
);
INSERT INTO module_crashes (module, replica, crashes, crashed_at, failure)
	SELECT id, 'main', crashes, crashed_at, failure FROM modules WHERE crashes > 0 OR failure <> '';
ALTER TABLE modules DROP COLUMN crashes;
ALTER TABLE modules DROP COLUMN crashed_at;
ALTER TABLE modules DROP COLUMN failure;
