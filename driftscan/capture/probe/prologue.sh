# driftscan probe: read-only; writes nothing on this machine. Arguments: NONCE ROOT SECONDS [PYTHON]
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP ENV BASH_ENV
umask 077
cd /
polite() {
  if command -v ionice >/dev/null 2>&1; then
    exec nice -n 10 ionice -c 2 -n 7 "$@"
  fi
  exec nice -n 10 "$@"
}
for python in ${4:+"$4"} python3 /usr/libexec/platform-python python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3.7 python3.6; do
  if command -v "$python" >/dev/null 2>&1 && "$python" -I -S -c 'import sys, hashlib, fcntl, select, subprocess; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then
    polite "$python" -I -S -c "$DRIFTSCAN_WORKER" "$1" "$2" "$3"
  fi
done
