"""A directory that may not be entered could hold anything: each collector that looks into one says so."""

import pytest

from driftscan.collectors import (
    _service,
    _sysctl_config,
    apparmor_profiles,
    apt_sources,
    at,
    audit_rules,
    boot_loader,
    ca_certificates,
    containers,
    cron,
    module_rules,
    pam,
    program_settings,
    services,
    shells,
    sysctl,
    sysv,
)
from driftscan.collectors._base import Collector
from driftscan.model import unit_files
from driftscan.model.source import Capture, Captures, Gap, Glob, Member, Source, Status

LOOKED_INTO: tuple[tuple[Collector, Glob], ...] = (
    (apparmor_profiles.collector, apparmor_profiles.FILES),
    (apt_sources.collector, apt_sources.FILES),
    (at.collector, at.JOBS),
    (audit_rules.collector, audit_rules.RULES),
    (boot_loader.collector, boot_loader.CONFIGURATION),
    (ca_certificates.collector, ca_certificates.HASHED),
    (ca_certificates.collector, ca_certificates.LOCAL),
    (containers.collector, containers.PODMAN),
    (containers.collector, containers.KUBERNETES),
    (containers.collector, containers.CONTAINERD),
    (containers.collector, containers.NAMED),
    (cron.collector, cron.SYSTEM),
    (cron.collector, cron.USERS),
    (cron.collector, cron.SPOOL),
    (cron.collector, cron.SCRIPTS),
    (module_rules.collector, module_rules.FILES),
    (pam.collector, pam.FILES),
    (program_settings.collector, program_settings.FILES),
    (services.collector, unit_files.UNITS),
    (services.collector, unit_files.DROP_INS),
    (services.collector, unit_files.LINKS),
    (services.collector, _service.SCRIPTS),
    (shells.collector, shells.FILES),
    (sysctl.collector, sysctl.LIVE),
    (sysctl.collector, _sysctl_config.CONFIG),
    (sysv.collector, _service.SCRIPTS),
    (sysv.collector, _service.RC_LINKS),
    (sysv.collector, sysv.RUN_LEVELS),
)


def answer(source: Source, closed: Glob) -> Capture:
    if source != closed:
        return Capture(source, Status.ABSENT)
    directory = closed.patterns[-1].rpartition("/")[0].replace("*", "x").encode()
    return Capture(source, Status.OK, members=(Member(directory, Status.FORBIDDEN),))


@pytest.mark.parametrize(("collector", "closed"), LOOKED_INTO, ids=lambda item: getattr(item, "name", str(item)))
def test_said(collector: Collector, closed: Glob) -> None:
    captures = Captures([answer(source, closed) for source in collector.sources])
    found = list(collector.parse(captures))
    gaps = [item for item in found if isinstance(item, Gap)]
    assert len(gaps) == len(found) == 1
    assert gaps[0].hides
