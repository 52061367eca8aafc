-- What a scan leaves for the next one of the same host. Large and seldom changing parts have a row of their own.
CREATE TABLE host_state (
    host TEXT PRIMARY KEY,
    audit_key BLOB NOT NULL,
    scans INTEGER NOT NULL,
    seen_at TEXT NOT NULL,
    full_at TEXT NOT NULL,
    coverage TEXT NOT NULL
) STRICT;

CREATE TABLE host_files (
    host TEXT PRIMARY KEY REFERENCES host_state (host) ON DELETE CASCADE,
    format INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    rules TEXT NOT NULL,
    states BLOB NOT NULL,
    removed TEXT NOT NULL,
    told BLOB NOT NULL
) STRICT;
