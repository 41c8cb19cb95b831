-- What is written down of an account, by name: an owner's statements, as JSON. Made where an earlier version did not.
CREATE TABLE IF NOT EXISTS documents (account TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;
