"""Values that must be one host's own."""

from driftscan.compare import changed_identities, identities, is_reference, shared_identities
from driftscan.model.drift import CauseType
from driftscan.model.snapshot import Reference
from tests.compare.building import A, B, C, directory, file, resources, zone

ID, KEY = "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key"
ZONES = (zone(ID, "identity"), zone("/etc/ssh/ssh_host_*", "identity"), zone("/etc/ssh/ssh_host_x.pub", "free"))
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def host(machine: str, key: str) -> dict[str, str]:
    return identities(resources([file(ID, sha256=machine), file(KEY, sha256=key), file("/x")]), ZONES)


def test_what_identifies_a_host() -> None:
    assert host(A, B) == {f"file:{ID}": A, f"file:{KEY}": B}
    assert host(EMPTY, B) == {f"file:{KEY}": B}
    others = resources([directory("/etc/ssh/ssh_host_d"), file("/etc/ssh/ssh_host_x.pub")])
    assert identities(others, ZONES) == {}


def reference(machine: str, key: str) -> Reference:
    return Reference(host="golden", taken_at="2026-11-20T00:00:00Z", identities=host(machine, key))


def test_a_host_that_has_its_own_shares_nothing() -> None:
    assert shared_identities(host(A, B), [reference(B, C)], {"other": host(C, A)}) == ()


def test_the_reference_itself_is_no_impostor() -> None:
    assert is_reference(host(A, B), reference(A, B))
    assert shared_identities(host(A, B), [reference(A, B)], {}) == ()
    no_keys = Reference(host="rootfs", taken_at="", identities={f"file:{ID}": A})
    assert not is_reference(host(A, B), no_keys)


def test_the_reference_is_known_by_what_may_be_read_without_root() -> None:
    whole = host(A, B) | {"file:/etc/ssh/ssh_host_ed25519_key.pub": C}
    golden = Reference(host="golden", taken_at="", identities=whole)
    read = {name: digest for name, digest in whole.items() if not name.endswith("_key")}
    assert shared_identities(read, [golden], {}) == ()
    assert shared_identities({f"file:{ID}": A}, [golden], {})  # no key was read: it may be a clone


def test_a_key_left_in_the_image_is_told() -> None:
    (found,) = shared_identities(host(A, B), [reference(C, B)], {})
    assert found.cause.type is CauseType.IDENTITY_SHARED
    assert found.title == f"{KEY} equal to that of the reference golden"
    assert [item.key for item in found.differences] == [KEY]


def test_two_hosts_with_one_identity() -> None:
    (found,) = shared_identities(host(A, B), [], {"twin": host(A, B), "other": host(B, C)})
    assert found.title == f"{ID} and 1 more equal to that of the host twin"
    (again,) = shared_identities(host(A, B), [], {"another twin": host(A, B)})
    assert again.id == found.id


def test_the_reference_itself_may_have_another_key_now() -> None:
    assert not is_reference(host(A, B), reference(A, C))
    assert is_reference(host(A, B), reference(A, C), "golden")
    assert not is_reference(host(C, B), reference(A, B), "golden")  # launched from an image that kept its key
    assert shared_identities(host(A, B), [reference(A, C)], {}, name="golden") == ()
    assert shared_identities(host(C, B), [reference(A, B)], {}, name="golden")


def test_keys_and_machine_id_that_were_made_anew() -> None:
    (key,) = changed_identities(host(A, C), host(A, B))
    assert (key.cause.type, key.title) == (CauseType.HOST_KEY_CHANGED, f"{KEY} is not the one that this machine had")
    assert key.differences[0].attributes["sha256"].expected == B
    (made,) = changed_identities(host(C, B), host(A, B))
    assert (made.cause.type, made.cause.subject) == (CauseType.CONFIGURATION_CHANGED, ID)


def test_what_was_not_known_or_is_gone_is_no_other() -> None:
    assert changed_identities(host(A, B), {}) == ()
    assert changed_identities({}, host(A, B)) == ()
    assert changed_identities({"instance_id": "b"}, {"instance_id": "a"}) == ()
