"""The tables as the newest migration leaves them. Times are UTC, RFC 3339, so that they sort as text; text compares by
code points in every database."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

HEAD = "0008"
"""The newest revision in migrations/; a database of a later one is refused."""

metadata = MetaData()

scan = Table(
    "scan",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("mode", Text),
    Column("interrupted", Integer),
    Column("report", Text),
    Column("number", Integer),  # in which order they were stored
)
host_result = Table(
    "host_result",
    metadata,
    Column("scan", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("host", Text),
    Column("target", Text),
    Column("verdict", Text),
    Column("action", Text),
    Column("image_id", Text),
    Column("image_version", Text),
    Column("manifest_digest", Text),
)
finding = Table(
    "finding",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("type", Text),
    Column("first_seen", Text),
    Column("last_seen", Text),
    Column("scan", Text),
    Column("severity", Text),
    Column("action", Text),
    Column("state", Text),
    Column("title", Text),
    Column("rule", Text),
    Column("cause", Text),
    Column("actor", Text),
    Column("needs", Text),
    Column("manifest", Text),
    Column("opened_at", Text),
    Column("resolved_at", Text),
    Column("resolved_why", Text),
    Column("returned", Integer),
    Column("returned_at", Text),
)
"""One row for each finding of each host, over all scans (`_life.Life`), and what the last scan said that saw it."""
episode = Table(
    "episode",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("opened_at", Text),
    Column("resolved_at", Text),
)
"""From when until when each was there, each time."""
host = Table(
    "host",
    metadata,
    Column("host", Text, primary_key=True),
    Column("scan", Text),
    Column("position", Integer),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("whole", Integer),
)
"""The newest scan that reached each host; `whole`: nothing was hidden from it."""
host_label = Table(
    "host_label",
    metadata,
    Column("host", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text),
)
host_state = Table(
    "host_state",
    metadata,
    Column("host", Text, primary_key=True),
    Column("audit_key", LargeBinary),
    Column("scans", Integer),
    Column("seen_at", Text),
    Column("full_at", Text),
    Column("coverage", Text),
)
host_files = Table(
    "host_files",
    metadata,
    Column("host", Text, primary_key=True),
    Column("format", Integer),
    Column("manifest", Text),
    Column("rules", Text),
    Column("states", LargeBinary),
    Column("removed", Text),
    Column("told", LargeBinary),
)
host_history = Table(
    "host_history",
    metadata,
    Column("host", Text, primary_key=True),
    Column("history", Text),
    Column("seal", Text),
)
host_birth = Table(
    "host_birth",
    metadata,
    Column("host", Text, primary_key=True),
    Column("manifest", Text),
    Column("user_data", Text),
    Column("birth", LargeBinary),
    Column("seal", Text),
)
event = Table(
    "event",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("scan", Text),
    Column("at", Text),
    Column("kind", Text),
    Column("host", Text),
    Column("subject", Text),
    Column("title", Text),
    Column("severity", Text),
    Column("action", Text),
    Column("detail", Text),
    Column("labels", Text),
)
"""What changed (`model.event.Event`), numbered as it was stored; labels as JSON."""
host_watch = Table(
    "host_watch",
    metadata,
    Column("host", Text, primary_key=True),
    Column("scope", Text),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("whole", Integer),
    Column("missed", Integer),
    Column("silent", Integer),
    Column("reached", Integer),
)
"""What was told of each host's coverage (`_news.Watch`), by which scan; `scope`: which targets that was to reach."""
waiver_told = Table(
    "waiver_told",
    metadata,
    Column("waiver", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
)
"""Which waivers were told of, by a digest of each."""
channel = Table(
    "channel",
    metadata,
    Column("name", Text, primary_key=True),
    Column("told", Integer),
    Column("attempts", Integer),
    Column("error", Text),
    Column("claim", Text),
    Column("claimed_at", Text),
)
"""Up to which event each channel was told, how often in vain since, and who is telling it now."""
