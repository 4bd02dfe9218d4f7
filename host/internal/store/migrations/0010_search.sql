-- Names are ordered byte by byte, on both engines and whatever the database's own order of letters.
@postgres ALTER TABLE staff ALTER COLUMN sort TYPE TEXT COLLATE "C";
@postgres ALTER TABLE customers ALTER COLUMN sort TYPE TEXT COLLATE "C";
@postgres ALTER TABLE contacts ALTER COLUMN sort TYPE TEXT COLLATE "C";

-- What people and companies are found by (search.go says how). All of it is made from the rows
-- themselves; version is 0 when it has to be made anew.
CREATE TABLE search_state (
    id      BIGINT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO search_state (id, version) SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM staff) OR EXISTS (SELECT 1 FROM customers) THEN 0 ELSE 1 END;

-- Neighbours by (sort, id): from the first one named here up to the next segment's first.
CREATE TABLE search_segments (
    id         @id,
    kind       BIGINT NOT NULL,
    first_sort @sorted NOT NULL,
    first_id   BIGINT NOT NULL,
    entries    BIGINT NOT NULL,
    slots      BYTEA NOT NULL
);
CREATE INDEX search_segments_order ON search_segments (kind, first_sort, first_id);

CREATE TABLE search_entries (
    place BIGINT PRIMARY KEY,
    kind  BIGINT NOT NULL,
    id    BIGINT NOT NULL,
    sort  @sorted NOT NULL,
    text  TEXT NOT NULL
);
CREATE UNIQUE INDEX search_entries_row ON search_entries (kind, id);

CREATE TABLE search_blocks (
    place BIGINT PRIMARY KEY,
    slots BYTEA NOT NULL
);
@postgres ALTER TABLE search_blocks ALTER COLUMN slots SET STORAGE PLAIN;

CREATE INDEX staff_active ON staff (active);
