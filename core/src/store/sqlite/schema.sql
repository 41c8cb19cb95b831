-- The store of one platform, version 3. Instants are milliseconds since 1970 UTC. A `checksum` is
-- the checksum of the row's other columns. SQLite stores the text of each statement, and a store is
-- compared with it, so a comment inside a statement is part of the version.

-- Named values:
-- `store`: the id of this store.
-- `seen`: the instant up to which the clock was accepted.
-- `boot`: the id of the last boot of the machine, and the instant of the boot by its clock.
-- `revision`: the revision of the directory.
-- `records`: the checksums of all records, combined by exclusive or.
-- `bucket`: the highest id of a pruned bucket.
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- The count of one meter in one window, for an account (`member` is empty) or one of its members.
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    member TEXT NOT NULL,
    meter TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    used INTEGER NOT NULL CHECK (used >= 0),
    top_up INTEGER NOT NULL CHECK (top_up >= 0),
    -- The number of rows of `reservations` with this bucket.
    reservations INTEGER NOT NULL CHECK (reservations >= 0),
    -- The number of deltas of stored operations in this bucket.
    operations INTEGER NOT NULL CHECK (operations >= 0),
    -- The sums over pruned operations.
    pruned_used INTEGER NOT NULL,
    pruned_top_up INTEGER NOT NULL,
    -- The newest operation with this `bucket`.
    last INTEGER,
    checksum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX buckets_windows ON buckets (account, member, meter, start);

-- Operations. The first delta applies to `bucket`. The others are in `other_deltas`, a JSON list of
-- [bucket, used, reserved, top_up, refunded].
CREATE TABLE operations (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    retain_until INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    top_up INTEGER NOT NULL,
    -- The part of the amount that was refunded since.
    refunded INTEGER NOT NULL,
    other_deltas TEXT,
    -- The previous operation with the same `bucket`.
    previous INTEGER,
    member TEXT,
    actor TEXT,
    -- The operation that this one commits, releases, refunds or reverses.
    parent INTEGER,
    -- The expiry of a reservation, and the operation that committed or released it.
    expires_at INTEGER,
    committed INTEGER,
    released INTEGER,
    idempotency_key TEXT,
    -- The digest of the request with the key, and its answer.
    digest BLOB,
    answer BLOB,
    checksum INTEGER NOT NULL
) STRICT;
-- The operations with a retention above 67 days (`PRUNE_AGE`), which outlive their neighbours in
-- the table.
CREATE INDEX operations_long ON operations (bucket) WHERE retain_until > at + 5788800000;

-- The idempotency keys. A key outlives its operation, and may be used again from `expires_at` on.
CREATE TABLE idempotency_keys (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    operation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

-- The reservations that are not committed or released.
CREATE TABLE reservations (
    bucket INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (bucket, operation)
) STRICT, WITHOUT ROWID;

-- The directory records, as JSON objects, and the last changes, as JSON lists of records and
-- removals.
CREATE TABLE records (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    -- The number of bytes of this change and of all changes before it, including deleted ones.
    total INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    changes TEXT NOT NULL
) STRICT;
-- The documents of an account by name, such as an owner's statements, as JSON.
CREATE TABLE documents (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
