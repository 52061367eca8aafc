"""Small Debian packages and a repository of them on a host's /run, so that upgrades can be had at will."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fleet.bed.host import Host

PLACE = "/run/repository"


@dataclass(frozen=True)
class Package:
    """A package of `files` files below /usr/lib/NAME, a program, a setting, and what it depends on. `library`: and of a
    shared library /usr/lib/NAME/NAME.so, which any program can be made to load."""

    name: str
    version: str
    depends: Sequence[str] = ()
    files: int = 3
    library: bool = False

    def build(self, host: Host) -> None:
        """Make it on the host, with the tools that every Debian has, and put it into the repository."""
        needs = f"Depends: {', '.join(self.depends)}\n" if self.depends else ""
        control = (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\n{needs}"
            "Maintainer: Suite <suite@example.org>\nDescription: made for a test\n"
        )
        shared = f"$top/usr/lib/{self.name}/{self.name}.so"
        host.shell(
            textwrap.dedent(f"""
            set -e
            mkdir -p {PLACE}; cd {PLACE}
            top=build-{self.name}; rm -rf $top
            mkdir -p $top/DEBIAN $top/usr/bin $top/usr/lib/{self.name} $top/etc/{self.name}
            printf '%s' '{control}' > $top/DEBIAN/control
            printf '#!/bin/sh\\necho {self.version}\\n' > $top/usr/bin/{self.name}-run
            chmod 755 $top/usr/bin/{self.name}-run
            printf 'level = 1\\n' > $top/etc/{self.name}/settings
            printf '/etc/{self.name}/settings\\n' > $top/DEBIAN/conffiles
            for n in $(seq {self.files}); do echo "{self.version} $n" > $top/usr/lib/{self.name}/part-$n; done
            if {str(self.library).lower()}; then
              cp /usr/lib/x86_64-linux-gnu/libz.so.1 {shared}; printf '{self.version}' >> {shared}
            fi
            (cd $top; find usr -type f -exec md5sum {{}} +) > $top/DEBIAN/md5sums
            rm -f {self.name}_*.deb; dpkg-deb --root-owner-group -b $top {self.name}_{self.version}_all.deb >/dev/null
            rm -r $top
            """)
        )


def publish(host: Host) -> None:
    """Write the index of what is in the repository, and have apt read it."""
    host.shell(
        textwrap.dedent(f"""
        set -e
        cd {PLACE}
        for deb in *.deb; do
          dpkg-deb -f $deb
          echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"; echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"
          echo
        done > Packages
        {{ echo 'Origin: Suite'; echo 'Suite: stable'; echo "Date: $(date -Ru)"; echo 'SHA256:'
           echo " $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages"; }} > Release
        apt-get -q update
        """),
        timeout=900,
    )
