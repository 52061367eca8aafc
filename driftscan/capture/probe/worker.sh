echo 'driftscan: no Python 3.6 or later on this machine' >&2
exit 97
