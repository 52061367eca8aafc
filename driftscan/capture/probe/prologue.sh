# driftscan probe: read-only; writes nothing on this machine. Its only argument may be a Python to try first. The first
# line of its standard input is `start NONCE ROOT SECONDS SHARE RATE`: then requests follow, which are data, never code.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL DRIFTSCAN_PERMITTED
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP ENV BASH_ENV
umask 077
# shellcheck disable=SC3045 # where it is not known, it does no harm
ulimit -c 0 2>/dev/null
ulimit -f 0 2>/dev/null # no file can be written, whoever tries to
# root could also raise itself: what is lower already stays so
if [ "$(nice 2>/dev/null)" -lt 10 ] 2>/dev/null; then renice -n 10 -p $$ >/dev/null 2>&1; fi
ionice -c 2 -n 7 -p $$ >/dev/null 2>&1
cd /
read -r word nonce root seconds share rate
case $word$nonce in start*[!0-9a-f]*) word= ;; esac
for number in "$seconds" "$share" "$rate"; do
  case $number in '' | *[!0-9]*) word= ;; esac
done
case ${DRIFTSCAN_BAKED-}$root in 1/ | /*) ;; *) word= ;; esac
case $word/$root in
  start//*) ;;
  *)
    echo 'driftscan: the probe is started by driftscan, which says how on standard input' >&2
    exit 96
    ;;
esac
# Ends with 98, before anything is read, where this Python cannot run the program. That comes through a pipe: an argument
# has a limit (MAX_ARG_STRLEN), and what logs command lines would log it with each scan. Where printf is no part of the
# shell, it is an argument all the same, and may not arrive.
begin='import sys
if sys.version_info < (3, 6): sys.exit(98)
try: import fcntl, hashlib, resource, select, struct, zlib
except ImportError: sys.exit(98)
with open(3, "rb") as program: text = program.read()
if not text: sys.exit(98)
exec(text)'
exec 4<&0
for python in ${1:+"$1"} python3 /usr/libexec/platform-python python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3.7 python3.6; do
  if command -v "$python" >/dev/null 2>&1; then
    printf %s "$DRIFTSCAN_WORKER" | "$python" -I -S -B -c "$begin" "$nonce" "$root" "$seconds" "$share" "$rate" 3<&0 <&4 4<&-
    status=$?
    case $status in
      98 | 126 | 127) ;;
      1) exit 241 ;; # 1 is how sudo ends when it refuses
      *) exit "$status" ;;
    esac
  fi
done
exec 4<&-
