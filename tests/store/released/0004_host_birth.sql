-- What a host was when its first boot had settled (`model.birth.Birth`, as JSON, deflated), and the SHA-256 of that text. Hosts with
-- equal manifest and user data are siblings.
CREATE TABLE host_birth (
    host TEXT PRIMARY KEY,
    manifest TEXT NOT NULL,
    user_data TEXT NOT NULL,
    birth BLOB NOT NULL,
    seal TEXT NOT NULL
) STRICT;
CREATE INDEX host_birth_by_template ON host_birth (manifest, user_data);
