-- What a person saw during a switch, up to a number of pages; of the rest, how many there were.

CREATE TABLE switch_pages (
    id        @id,
    switch_id BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    method    TEXT NOT NULL,
    path      TEXT NOT NULL,
    title     TEXT NOT NULL,
    status    BIGINT NOT NULL
);
CREATE INDEX switch_pages_switch ON switch_pages (switch_id, at, id);

CREATE TABLE switch_page_counts (
    switch_id  BIGINT PRIMARY KEY,
    kept       BIGINT NOT NULL,
    dropped    BIGINT NOT NULL,
    dropped_at BIGINT NOT NULL
);
