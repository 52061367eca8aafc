"""The test bed: systemd-nspawn hosts on overlay copies of one Debian base."""
