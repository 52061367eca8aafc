-- In what a host differed from its image in earlier scans (`model.state.History`, as JSON), and the SHA-256 of that text.
CREATE TABLE host_history (
    host TEXT PRIMARY KEY,
    history TEXT NOT NULL,
    seal TEXT NOT NULL
) STRICT;
