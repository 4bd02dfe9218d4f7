-- The last migration a host has to know to work with this schema. A migration that an older host can't
-- live with says so by a line of its own, "-- least: 13"; hosts that know less have stopped before it
-- runs, and are refused from then on.
CREATE TABLE schema_least (
	id    BIGINT PRIMARY KEY,
	least BIGINT NOT NULL
);
INSERT INTO schema_least (id, least) VALUES (1, 13);
