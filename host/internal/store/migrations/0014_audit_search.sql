-- Which thousands of the Activity Log's entries are found by the search index, and when these were
-- written: entries by their ids, 8,192 to a segment. The newest are looked through one by one.
CREATE TABLE audit_segments (
    segment  BIGINT PRIMARY KEY,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL
);
