-- SQLite keeps a table by a key only if that is an INTEGER PRIMARY KEY: any other is an index beside it,
-- written and looked up besides. PostgreSQL has the same either way.
@sqlite ALTER TABLE search_entries RENAME TO search_entries_before;
@sqlite CREATE TABLE search_entries (
@sqlite     place INTEGER PRIMARY KEY,
@sqlite     kind  BIGINT NOT NULL,
@sqlite     id    BIGINT NOT NULL,
@sqlite     sort  TEXT NOT NULL,
@sqlite     text  TEXT NOT NULL
@sqlite );
@sqlite INSERT INTO search_entries (place, kind, id, sort, text) SELECT place, kind, id, sort, text FROM search_entries_before ORDER BY place;
@sqlite DROP TABLE search_entries_before;
@sqlite CREATE UNIQUE INDEX search_entries_row ON search_entries (kind, id);

@sqlite ALTER TABLE search_blocks RENAME TO search_blocks_before;
@sqlite CREATE TABLE search_blocks (
@sqlite     place INTEGER PRIMARY KEY,
@sqlite     slots BYTEA NOT NULL
@sqlite );
@sqlite INSERT INTO search_blocks (place, slots) SELECT place, slots FROM search_blocks_before ORDER BY place;
@sqlite DROP TABLE search_blocks_before;
