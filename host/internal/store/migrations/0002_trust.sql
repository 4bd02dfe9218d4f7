-- Publishers' keys, who signed what is installed, and versions that wait for their grants to be
-- accepted.

CREATE TABLE trusted_keys (
    key_id     TEXT PRIMARY KEY,
    public_key TEXT NOT NULL,
    name       TEXT NOT NULL,
    added_at   BIGINT NOT NULL,
    added_by   TEXT NOT NULL
);

-- A signer is kept as JSON, empty for nobody.
ALTER TABLE modules ADD COLUMN signer TEXT NOT NULL DEFAULT '';
ALTER TABLE modules ADD COLUMN withdrawn TEXT NOT NULL DEFAULT '';

CREATE TABLE waiting_modules (
    module_id  TEXT PRIMARY KEY,
    version    TEXT NOT NULL,
    manifest   BYTEA NOT NULL,
    sha256     TEXT NOT NULL,
    signer     TEXT NOT NULL,
    waiting_at BIGINT NOT NULL
);

-- Sessions whose holder has just given the own password again.
CREATE TABLE session_confirmations (
    session_id   BIGINT PRIMARY KEY,
    confirmed_at BIGINT NOT NULL
);
