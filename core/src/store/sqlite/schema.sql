-- The store of one platform, version 2. Instants are milliseconds since 1970 UTC. A `checksum` is of its row's other columns.

-- `store`: names this store for good. `seen`: an instant up to which the clock was accepted. `boot`: of the last start of
-- the machine, and how far its clock was ahead of the time since. `revision`: of the directory. `records`: the checksums of
-- all records, combined by exclusive or. `bucket`: the highest id of a bucket that is gone.
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- A count of one meter in one window: an account's (`member` is empty), or that of one of its members.
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    member TEXT NOT NULL,
    meter TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    used INTEGER NOT NULL CHECK (used >= 0),
    top_up INTEGER NOT NULL CHECK (top_up >= 0),
    -- How many rows of `holds` are its.
    holds INTEGER NOT NULL CHECK (holds >= 0),
    -- How many parts of operations that are kept are its.
    operations INTEGER NOT NULL CHECK (operations >= 0),
    -- What operations that were pruned had done.
    pruned_used INTEGER NOT NULL,
    pruned_top_up INTEGER NOT NULL,
    -- The newest operation whose `bucket` this is.
    last INTEGER,
    checksum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX buckets_windows ON buckets (account, member, meter, start);

-- What was done: first to `bucket`, then to those of `more`, a JSON list of [bucket, used, held, top_up, back].
CREATE TABLE operations (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    used INTEGER NOT NULL,
    held INTEGER NOT NULL,
    top_up INTEGER NOT NULL,
    -- How much of it was given back since.
    back INTEGER NOT NULL,
    more TEXT,
    -- The one before it with the same `bucket`.
    previous INTEGER,
    member TEXT,
    actor TEXT,
    of INTEGER,
    -- A reservation's end, and what settled it.
    until INTEGER,
    committed INTEGER,
    released INTEGER,
    key TEXT,
    -- What was asked with the key, and what was answered.
    digest BLOB,
    answer BLOB,
    checksum INTEGER NOT NULL
) STRICT;
-- The few that are kept for longer than 67 days: they outlive those between which they stand.
CREATE INDEX operations_long ON operations (bucket) WHERE keep > at + 5788800000;

-- The key of an operation: it stays for a time when the operation is gone, `until` it may be used anew.
CREATE TABLE keys (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    operation INTEGER NOT NULL,
    until INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    bucket INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    until INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (bucket, operation)
) STRICT, WITHOUT ROWID;

-- The directory as it is, a JSON object each; and its last changes, a JSON list of records and of what was removed.
CREATE TABLE records (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    -- How many bytes this change and all before it have, those that are gone included.
    total INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    changes TEXT NOT NULL
) STRICT;
-- What is written down of an account, by name: an owner's statements, as JSON.
CREATE TABLE documents (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
