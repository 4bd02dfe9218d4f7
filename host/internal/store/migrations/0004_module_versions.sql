-- The versions a module had before, so that one can go back: the newest few of each, with what they
-- were granted when another took their place.

CREATE TABLE module_versions (
    id          @id,
    module_id   TEXT NOT NULL,
    version     TEXT NOT NULL,
    manifest    BYTEA NOT NULL,
    sha256      TEXT NOT NULL,
    signer      TEXT NOT NULL,
    grants      TEXT NOT NULL,
    replaced_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX module_versions_module ON module_versions (module_id, sha256);
