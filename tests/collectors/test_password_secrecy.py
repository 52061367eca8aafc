"""From the file on a target to the resource: the states come out right, and no hash comes out at all."""

import time
from pathlib import Path

from driftscan.capture.live import open_rootfs
from driftscan.collectors import passwords, users_groups
from driftscan.model.resource import Resource

HASH = "c2VjcmV0LWhhc2gtb2YtYS1wYXNzd29yZA"
SHADOW = {
    "yescrypt": (f"$y$j9T$salt${HASH}", "set", "y"),
    "bcrypt": (f"$2b$12${HASH}", "set", "2b"),
    "sha512": (f"$6$rounds=5000$salt${HASH}", "set", "6"),
    "descrypt": (HASH[:13], "set", "des"),
    "shut": (f"!$6$salt${HASH}", "locked", "6"),
    "starred": (f"*$6$salt${HASH}", "locked", "6"),
    "never": ("*", "disabled", ""),
    "fresh": ("!", "disabled", ""),
    "redhat": ("!!", "disabled", ""),
    "mixed": ("!*", "disabled", ""),
    "open": ("", "empty", ""),
}


def test_states_from_a_real_shadow_file(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    rows = "".join(f"{name}:{field}:20000:0:99999:7:::\n" for name, (field, _, _) in SHADOW.items())
    (etc / "shadow").write_text(rows, encoding="ascii")
    (etc / "passwd").write_text(
        "".join(f"{name}:x:7:7::/:/bin/sh\n" for name in SHADOW) + f"inline:$1$salt${HASH}:8:8::/:/bin/sh\n"
        "nopass::9:9::/:/bin/sh\nunshadowed:x:10:10::/:/bin/sh\n",
        encoding="ascii",
    )
    (etc / "group").write_text(f"keyed:$6$salt${HASH}:7:\nplain:x:8:\n", encoding="ascii")
    session = open_rootfs(str(tmp_path), time.monotonic() + 600)
    try:
        captures = session.ask((*passwords.collector.sources, *users_groups.collector.sources))
    finally:
        session.close()
    items = [*passwords.collector.parse(captures), *users_groups.collector.parse(captures)]
    assert HASH[:13] not in repr(items)
    assert HASH[:13].encode() not in b"".join(capture.data for capture in captures.values())
    found = {
        item.key: (item.attributes["password_status"], item.attributes["hash_alg"])
        for item in items
        if isinstance(item, Resource) and item.kind == "password"
    }
    expected = {name: (state, scheme) for name, (_, state, scheme) in SHADOW.items()}
    assert found == expected | {"inline": ("set", "1"), "nopass": ("empty", ""), "unshadowed": ("disabled", "")}
    groups = {item.key: item.attributes.get("password") for item in items if isinstance(item, Resource)}
    assert (groups["keyed"], groups["plain"]) == ("$6$", "locked")
