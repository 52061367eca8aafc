"""What becomes of a server by itself, and by those who use it as it is meant: nothing of it is drift."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fleet.bed.authority import PORT
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import BedError, attempt, run, wait_for
from tests.fleet.bed.testbed import Testbed

_LIBRARY = "/run/faketime/libfaketime.so.1"
# What the packages of the base bring; none of them may go missing from the week unnoticed.
TIMERS = {
    *("apt-daily", "apt-daily-upgrade", "certbot", "dpkg-db-backup", "exim4-base", "logrotate", "man-db"),
    *("systemd-tmpfiles-clean", "fstrim", "e2scrub_all"),
}


def certify(host: Host) -> None:
    """Has certbot get a certificate for the host's own name, beside the one that all hosts get at first boot."""
    authority = f"https://{host.settings.gateway}:{PORT}/dir"
    host.must("certbot", "certonly", "-q", "--standalone", "--server", authority, "-d", f"{host.name}.shop.example")


def renew(host: Host) -> None:
    """Has certbot renew each certificate, whether it is due or not."""
    host.must("certbot", "renew", "-q", "--force-renewal", "--no-random-sleep-on-renew")


def send_mail(host: Host) -> None:
    """Mail that is delivered, mail that bounces, mail that is refused, and mail that waits for the next run of the
    queue."""
    host.must("exim4", "-qff")
    host.shell(
        """
        say() { printf "$@"; }
        say 'Subject: report\\n\\nAll is well.\\n' | sendmail deploy
        say 'Subject: report\\n\\nAll is well.\\n' | sendmail someone@elsewhere.example
        say 'EHLO x\\r\\nMAIL FROM:<a@b>\\r\\nRCPT TO:<nobody-here>\\r\\nQUIT\\r\\n' | exim4 -bs >/dev/null
        say 'Subject: waits\\n\\nNot yet.\\n' | exim4 -odq root
        """
    )
    delivered = host.root / "var/mail/deploy"
    wait_for(f"{host.name}: mail is delivered", delivered.exists, 20)


def log_in(bed: Testbed, host: Host) -> None:
    """With the right key as both users, with a terminal, and with a key that nobody knows."""
    ssh = ("ssh", "-F", str(bed.settings.ssh_config))
    run(*ssh, f"root@{host.name}", "true")
    run(*ssh, f"deploy@{host.name}", "sudo true")
    run(*ssh, "-tt", f"deploy@{host.name}", "true")
    known = f"UserKnownHostsFile={bed.settings.known_hosts}"
    nothing = ("-F", "none", "-i", "none", "-o", "BatchMode=yes", "-o", known)
    for user in ("root", "nobody-here"):
        refused = attempt("ssh", *nothing, f"{user}@{host.address}", "true")
        assert "Permission denied" in refused.stderr, refused.stderr


def week(host: Host) -> None:
    """Each timer's work of seven days, a day apart for all services that systemd starts in the meantime; the logs are
    written to and rotated, the mail is delivered. The host's clock, which is this machine's, stays as it is: what
    libfaketime says in place of it is in the environment of services alone."""
    for day in range(1, 8):
        with _days_later(host, day):
            host.shell("for facility in mail auth cron user kern; do logger -p $facility.err day; done")
            send_mail(host)
            for service in sorted(_services_of_timers(host)):
                host.must("systemctl", "start", "--wait", service, timeout=900)
            host.must("systemd-run", "--wait", "-q", "logrotate", "--force", "/etc/logrotate.conf")


def _services_of_timers(host: Host) -> set[str]:
    timers = json.loads(host.must("systemctl", "list-timers", "--all", "--output=json"))
    services = {str(timer["activates"]) for timer in timers}
    assert {f"{name}.service" for name in TIMERS} <= services, services
    return services


@contextmanager
def _days_later(host: Host, days: int) -> Iterator[None]:
    host.shell(f"mkdir -p {_LIBRARY.rpartition('/')[0]}")
    host.must("sh", "-c", f"base64 -d > {_LIBRARY}", stdin=base64.b64encode(_library().read_bytes()).decode())
    # The times of files are real, so that what is a day old looks it.
    told = {"LD_PRELOAD": _LIBRARY, "FAKETIME": f"+{days}d", "NO_FAKE_STAT": "1"}
    host.must("systemctl", "set-environment", *(f"{name}={value}" for name, value in told.items()))
    try:
        here, there = (host.must(*start, "date", "+%s") for start in ((), ("systemd-run", "--wait", "--pipe", "-q")))
        assert abs(int(there) - int(here) - days * 86400) < 60, f"{host.name}: it is not {days} days later"
        yield
    finally:
        host.must("systemctl", "unset-environment", *told)
        host.must("rm", "-r", _LIBRARY.rpartition("/")[0])


def _library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise BedError("libfaketime is not on this machine")
    return found[0]
