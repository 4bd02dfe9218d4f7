-- Times are milliseconds since 1970 (0: never), capabilities a sorted list separated by spaces.
-- @id becomes the engine's own automatic key.

CREATE TABLE authority (
    id       BIGINT PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO authority (id, revision) VALUES (1, 1);

CREATE TABLE roles (
    id           @id,
    name         TEXT NOT NULL UNIQUE,
    capabilities TEXT NOT NULL
);

CREATE TABLE staff (
    id             @id,
    email          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    sort           TEXT NOT NULL,
    search         TEXT NOT NULL,
    password       TEXT NOT NULL,
    administrator  BOOLEAN NOT NULL,
    active         BOOLEAN NOT NULL,
    role_id        BIGINT REFERENCES roles (id),
    capabilities   TEXT NOT NULL,
    language       TEXT NOT NULL,
    theme          TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    last_sign_in   BIGINT NOT NULL
);
CREATE INDEX staff_sort ON staff (sort, id);
CREATE INDEX staff_role ON staff (role_id);

CREATE TABLE customers (
    id         @id,
    company    TEXT NOT NULL,
    sort       TEXT NOT NULL,
    search     TEXT NOT NULL,
    phone      TEXT NOT NULL,
    website    TEXT NOT NULL,
    address    TEXT NOT NULL,
    city       TEXT NOT NULL,
    country    TEXT NOT NULL,
    vat        TEXT NOT NULL,
    language   TEXT NOT NULL,
    active     BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX customers_sort ON customers (sort, id);

CREATE TABLE contacts (
    id             @id,
    customer_id    BIGINT NOT NULL REFERENCES customers (id),
    email          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    sort           TEXT NOT NULL,
    search         TEXT NOT NULL,
    phone          TEXT NOT NULL,
    position       TEXT NOT NULL,
    password       TEXT NOT NULL,
    is_primary     BOOLEAN NOT NULL,
    active         BOOLEAN NOT NULL,
    language       TEXT NOT NULL,
    theme          TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    last_sign_in   BIGINT NOT NULL
);
CREATE INDEX contacts_sort ON contacts (sort, id);
CREATE INDEX contacts_customer ON contacts (customer_id, sort, id);

CREATE TABLE session_switches (
    id             @id,
    session_id     BIGINT NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       BIGINT NOT NULL,
    actor_name     TEXT NOT NULL,
    actor_search   TEXT NOT NULL,
    actor_role     TEXT NOT NULL,
    subject_kind   TEXT NOT NULL,
    subject_id     BIGINT NOT NULL,
    subject_name   TEXT NOT NULL,
    subject_search TEXT NOT NULL,
    subject_detail TEXT NOT NULL,
    mode           TEXT NOT NULL,
    reason         TEXT NOT NULL,
    ip             TEXT NOT NULL,
    browser        TEXT NOT NULL,
    started_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL,
    end_cause      TEXT NOT NULL,
    refusal        TEXT NOT NULL
);
CREATE INDEX session_switches_session ON session_switches (session_id, ended_at);
CREATE INDEX session_switches_actor ON session_switches (actor_kind, actor_id, id);
CREATE INDEX session_switches_open ON session_switches (ended_at, id);

CREATE TABLE sessions (
    id           @id,
    secret_hash  BYTEA NOT NULL UNIQUE,
    form_key     BYTEA NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor_id     BIGINT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   BIGINT NOT NULL,
    switch_id    BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    decided      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ip           TEXT NOT NULL,
    browser      TEXT NOT NULL,
    notice       TEXT NOT NULL
);
CREATE INDEX sessions_actor ON sessions (actor_kind, actor_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE sign_in_failures (
    source       TEXT PRIMARY KEY,
    failures     BIGINT NOT NULL,
    first_at     BIGINT NOT NULL,
    locked_until BIGINT NOT NULL
);

CREATE TABLE account_links (
    hash         BYTEA PRIMARY KEY,
    purpose      TEXT NOT NULL,
    account_kind TEXT NOT NULL,
    account_id   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE TABLE audit_entries (
    id           @id,
    at           BIGINT NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor_id     BIGINT NOT NULL,
    actor_name   TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   BIGINT NOT NULL,
    subject_name TEXT NOT NULL,
    switch_id    BIGINT NOT NULL,
    action       TEXT NOT NULL,
    object       TEXT NOT NULL,
    detail       TEXT NOT NULL,
    search       TEXT NOT NULL,
    ip           TEXT NOT NULL,
    request_id   TEXT NOT NULL
);
CREATE INDEX audit_entries_switch ON audit_entries (switch_id, id);

CREATE TABLE settings (
    section TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (section, name)
);

CREATE TABLE modules (
    id           TEXT PRIMARY KEY,
    version      TEXT NOT NULL,
    manifest     BYTEA NOT NULL,
    sha256       TEXT NOT NULL,
    activated    BOOLEAN NOT NULL,
    grants       TEXT NOT NULL,
    crashes      BIGINT NOT NULL,
    crashed_at   BIGINT NOT NULL,
    failure      TEXT NOT NULL,
    installed_at BIGINT NOT NULL
);

CREATE TABLE module_packages (
    sha256  TEXT PRIMARY KEY,
    package BYTEA NOT NULL
);

CREATE TABLE staged_packages (
    id         TEXT PRIMARY KEY,
    by_kind    TEXT NOT NULL,
    by_id      BIGINT NOT NULL,
    filename   TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    package    BYTEA NOT NULL,
    staged_at  BIGINT NOT NULL
);

CREATE TABLE module_values (
    module_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     BYTEA NOT NULL,
    PRIMARY KEY (module_id, name)
);

CREATE TABLE module_languages (
    module_id TEXT NOT NULL,
    tag       TEXT NOT NULL,
    file      BYTEA NOT NULL,
    PRIMARY KEY (module_id, tag)
);

CREATE TABLE module_log (
    id         @id,
    module_id  TEXT NOT NULL,
    at         BIGINT NOT NULL,
    level      TEXT NOT NULL,
    text       TEXT NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX module_log_module ON module_log (module_id, id);
