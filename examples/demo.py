"""The main job on real input, without root: `make demo`.

A part of this machine's own file system is copied to `.demo/image` and baked into a manifest. A copy of the copy is
changed as servers are changed in life, and scanned against the manifest. Then this very machine is scanned, with its
own package database as a stand-in for a manifest that nobody baked.
"""

import os
import secrets
import shutil
import stat
import subprocess
import sys
from pathlib import Path

HERE = Path(".demo")
IMAGE, SERVER, MANIFEST = HERE / "image", HERE / "server", HERE / "demo.manifest"
KEPT = ("--store", f"{HERE}/store")
"""The demo's scans stay among themselves: `waiver adopt` would take them for the user's own."""
COPIED = ("etc", "usr/sbin", "usr/lib/systemd", "usr/lib/os-release", "var/lib/dpkg/status", "var/spool/cron")
LARGEST = 8 << 20


def main() -> int:
    """Bake, change, scan, and scan this machine."""
    shutil.rmtree(HERE, ignore_errors=True)
    say("1. A real root file system: a copy of parts of this machine's own, in .demo/image")
    copied = sum(copy(Path("/") / part, IMAGE / part) for part in COPIED)
    print(f"   {copied:,} files")
    shutil.copytree(IMAGE, SERVER, symlinks=True)
    (SERVER / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")  # every server has its own
    say("2. Bake it")
    run("bake", f"rootfs:{IMAGE}", "-o", str(MANIFEST), "--image-id", "demo-image", "--image-version", "1", expect=(0,))
    say("3. A server that runs this image is changed by hand")
    for what in changes():
        print(f"   - {what}")
    say("4. Scan it")
    reports = ("--report", f"json:{HERE}/report.json", "--report", f"markdown:{HERE}/report.md")
    run("scan", f"rootfs:{SERVER}", "-m", str(MANIFEST), *KEPT, *reports, expect=(1,))
    say("5. This very machine: no manifest, so its package database stands in for one")
    run("scan", "local", *KEPT, "--report", f"json:{HERE}/local.json", "--timeout", "55", "-q", expect=(0, 1, 3))
    say("Reports")
    for report in sorted(HERE.glob("*.json")) + sorted(HERE.glob("*.md")):
        print(f"   {report}")
    say("All that is known about one finding")
    print(f"   {Path(sys.prefix).name}/bin/driftscan explain FINDING {' '.join(KEPT)}")
    return 0


def changes() -> list[str]:
    """Change .demo/server as people and intruders do."""
    told = []
    config = SERVER / "etc/ssh/sshd_config"
    if config.is_file():
        config.write_text("PermitRootLogin yes\n" + config.read_text())
        told.append("sshd_config lets root log in")
    with (SERVER / "etc/passwd").open("a") as stream:
        stream.write("mallory:x:1999:1999::/home/mallory:/bin/bash\n")
    with (SERVER / "etc/group").open("a") as stream:
        stream.write("mallory:x:1999:\n")
    sudoers = SERVER / "etc/sudoers.d/90-mallory"
    sudoers.parent.mkdir(parents=True, exist_ok=True)
    sudoers.write_text("mallory ALL=(ALL) NOPASSWD: ALL\n")
    binary = SERVER / "usr/sbin/helperd"
    binary.write_bytes(b"\x7fELF and so on\n")
    binary.chmod(0o4755)
    unit = SERVER / "etc/systemd/system/helperd.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text("[Service]\nExecStart=/usr/sbin/helperd\n[Install]\nWantedBy=multi-user.target\n")
    wanted = SERVER / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "helperd.service").symlink_to("/etc/systemd/system/helperd.service")
    return [
        *told,
        "a user mallory, with sudo rights and no password asked",
        "a set-uid program /usr/sbin/helperd",
        "a service that starts it at boot",
    ]


def copy(source: Path, target: Path) -> int:
    """Copy what this user may read, links as links; how many files."""
    if source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.readlink())
        return 1
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        try:
            return sum(copy(child, target / child.name) for child in sorted(source.iterdir()))
        except PermissionError:
            return 0
    try:
        status = source.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST or not os.access(source, os.R_OK):
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        target.chmod(stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
    except OSError:
        return 0
    return 1


def run(*arguments: str, expect: tuple[int, ...]) -> None:
    """Show a driftscan command and run it; anything but an expected exit code ends the demo."""
    print(f"$ driftscan {' '.join(arguments)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "driftscan", *arguments], check=False).returncode
    if code not in expect:
        sys.exit(f"demo: expected exit code {expect}, got {code}")
    print(f"(exit code {code})", flush=True)


def say(title: str) -> None:
    """A heading."""
    print(f"\n== {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
