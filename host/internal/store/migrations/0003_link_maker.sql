-- Who made a link: it opens only as long as that person could still make it.
ALTER TABLE account_links ADD COLUMN maker_id BIGINT NOT NULL DEFAULT 0;
