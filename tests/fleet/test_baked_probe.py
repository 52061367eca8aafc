"""The probe as a file of the image: an account that can scan with root rights, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import attempt
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, open_mutations

PLACE = "usr/local/sbin/driftscan-probe"
OPTIONS = {"user": "scanner", "sudo": "always", "probe": f"/{PLACE}"}
BEGIN = "printf 'start %032d / 60 0 0\\n%s\\ngo\\n' 0 '{}' | sudo -n /" + PLACE


@pytest.fixture(scope="module")
def host(bed: Testbed, driftscan: Driftscan) -> Iterator[Host]:
    """A host whose image was made as `driftscan probe --help` says."""
    found = bed.up(["least"])[0]
    assert driftscan.run("probe", "--write", str(found.root / PLACE)).code == 0
    rule = driftscan.run("probe", "--sudoers", "--user", "scanner")
    (found.root / "etc/sudoers.d/driftscan").write_text(rule.stdout)
    found.shell("chmod 440 /etc/sudoers.d/driftscan && visudo -cf /etc/sudoers.d/driftscan")
    found.shell("useradd -m -s /bin/bash scanner && install -d -m 700 -o scanner -g scanner /home/scanner/.ssh")
    found.shell("install -m 600 -o scanner -g scanner /root/.ssh/authorized_keys /home/scanner/.ssh/")
    found.shell("echo 'the secret of root' > /root/secret; chmod 600 /root/secret")
    yield found
    bed.remove(["least"])


def ssh(bed: Testbed, host: Host, command: str) -> subprocess.CompletedProcess[str]:
    """What the account may do with ssh."""
    return attempt("ssh", "-F", str(bed.settings.ssh_config), f"scanner@{host.name}", command)


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, host: Host) -> tuple[str, ...]:
    """Baked by the account, and scanned by it."""
    inventory = driftscan.inventory("least.yaml", [host], **OPTIONS)
    manifest = driftscan.home / "least.manifest"
    baked = driftscan.run("bake", host.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


def test_it_scans_wholly(driftscan: Driftscan, host: Host, options: tuple[str, ...]) -> None:
    clean = driftscan.scan(*options)
    assert clean.verdicts() == {host.name: "clean"}, clean.explain()
    dropped = host.root / "usr/bin/dropped"
    dropped.write_text("#!/bin/sh\n")
    assert len(open_mutations(driftscan.scan(*options).host(host.name))) == 1
    dropped.unlink()


@pytest.mark.parametrize(
    "command",
    [
        "sudo -n id",
        "sudo -n /bin/sh -c id",
        f"echo id | sudo -n /{PLACE}",
        f"sudo -n /{PLACE} -c id",
        f"sudo -n /{PLACE} id",
        f"DRIFTSCAN_PERMITTED= DRIFTSCAN_WORKER='import os; os.system(\"id\")' sudo -n -E /{PLACE} </dev/null",
    ],
)
def test_it_does_nothing_else(bed: Testbed, host: Host, command: str) -> None:
    said = ssh(bed, host, command)
    assert said.returncode != 0
    assert "uid=" not in said.stdout


@pytest.mark.parametrize(
    "request_line",
    [
        "command 0 1000 10 none - id",
        "command 0 1000 10 none - cat /root/secret",
        "file 0 1000 none /root/secret",
        "file 0 1000 none /etc/shadow",
        "glob 0 10 1000 none all /root/*",
        "glob 0 10 1000 none public /root/*",
    ],
)
def test_it_answers_what_scans_ask_alone(bed: Testbed, host: Host, request_line: str) -> None:
    said = ssh(bed, host, BEGIN.format(request_line))
    assert said.returncode == 0, said.stderr
    assert " end 0 " in said.stdout
    for secret in ("uid=0", "the secret of root", "root:"):
        assert secret not in said.stdout


def test_shadow_is_not_read_under_another_name(bed: Testbed, host: Host) -> None:
    """Nor is its digest told, whatever root is asked for."""
    said = ssh(bed, host, BEGIN.replace(" / 60", " /etc 60").format("processes 0"))
    assert said.returncode == 96


def test_a_changed_probe_is_not_believed(driftscan: Driftscan, host: Host, options: tuple[str, ...]) -> None:
    probe = host.root / PLACE
    original = probe.read_bytes()
    by_root = driftscan.inventory("least-root.yaml", [host], probe=f"/{PLACE}")
    manifest = options[-1]
    try:
        probe.write_bytes(original.replace(b"umask 077", b"umask 022"))
        # The rule names the content: sudo itself refuses.
        refused = driftscan.scan(*options)
        assert refused.code == 3, refused.explain()
        assert "sudo" in str(refused.host(host.name)["errors"])
        # A login as root needs no rule.
        changed = driftscan.scan("-i", str(by_root), "-m", manifest)
        assert changed.code == 3, changed.explain()
        assert "neither this driftscan's probe" in str(changed.host(host.name)["errors"])
        host.shell(f"chmod 0777 /{PLACE}")
        writable = driftscan.scan("-i", str(by_root), "-m", manifest)
        assert "not root's alone" in str(writable.host(host.name)["errors"])
        probe.unlink()
        gone = driftscan.scan("-i", str(by_root), "-m", manifest)
        assert "there is no" in str(gone.host(host.name)["errors"])
    finally:
        probe.unlink(missing_ok=True)
        probe.write_bytes(original)
        probe.chmod(0o755)


def test_an_older_probe_of_the_image_is_believed(driftscan: Driftscan, host: Host) -> None:
    """A scanner of a later version knows it from the manifest."""
    probe = host.root / PLACE
    original = probe.read_bytes()
    by_root = driftscan.inventory("least-old.yaml", [host])
    with_file = driftscan.inventory("least-file.yaml", [host], probe=f"/{PLACE}")
    manifest = driftscan.home / "least-old.manifest"
    try:
        probe.write_bytes(original + b"# as it was\n")
        baked = driftscan.run("bake", host.name, "-i", str(by_root), "-o", str(manifest))
        assert baked.code == 0, baked.stderr
        scanned = driftscan.scan("-i", str(with_file), "-m", str(manifest))
        assert scanned.verdicts() == {host.name: "clean"}, scanned.explain()
    finally:
        probe.write_bytes(original)
