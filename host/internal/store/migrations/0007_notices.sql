-- What accounts are told on their next pages, and mail on its way. A mail is gone from the outbox
-- once it is sent or given up.

CREATE TABLE account_notices (
    id           @id,
    account_kind TEXT NOT NULL,
    account_id   BIGINT NOT NULL,
    module_id    TEXT NOT NULL,
    text_key     TEXT NOT NULL,
    args         TEXT NOT NULL,
    page         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    read_at      BIGINT NOT NULL
);
CREATE INDEX account_notices_unread ON account_notices (account_kind, account_id, id) WHERE read_at = 0;
CREATE INDEX account_notices_at ON account_notices (at);

CREATE TABLE mail_outbox (
    id         @id,
    message_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    address    TEXT NOT NULL,
    language   TEXT NOT NULL,
    module_id  TEXT NOT NULL,
    text_key   TEXT NOT NULL,
    args       TEXT NOT NULL,
    page       TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at         BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL
);
CREATE INDEX mail_outbox_due ON mail_outbox (due_at, id);
