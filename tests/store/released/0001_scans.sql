-- Scans, the hosts in them, and their findings. Times are UTC, RFC 3339, so that they sort as text.
CREATE TABLE scan (
    id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    mode TEXT NOT NULL,
    interrupted INTEGER NOT NULL CHECK (interrupted IN (0, 1)),
    report TEXT NOT NULL
) STRICT;
CREATE INDEX scan_by_time ON scan (started_at);

CREATE TABLE host_result (
    scan TEXT NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    host TEXT NOT NULL,
    target TEXT NOT NULL,
    verdict TEXT NOT NULL,
    action TEXT NOT NULL,
    image_id TEXT NOT NULL,
    image_version TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    PRIMARY KEY (scan, position)
) STRICT;
CREATE INDEX host_result_by_host ON host_result (host, scan);

-- One row for each finding and host, over all scans.
CREATE TABLE finding (
    fingerprint TEXT NOT NULL,
    host TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('mutation', 'control')),
    first_seen TEXT NOT NULL,
    last_seen TEXT NOT NULL,
    PRIMARY KEY (fingerprint, host)
) STRICT;

-- What a scan said of a finding.
CREATE TABLE sighting (
    scan TEXT NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    host TEXT NOT NULL,
    severity TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (scan, fingerprint, host),
    FOREIGN KEY (fingerprint, host) REFERENCES finding (fingerprint, host)
) STRICT;
CREATE INDEX sighting_by_finding ON sighting (fingerprint, host);
