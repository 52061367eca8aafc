# The probe for targets without Python: the same requests and answers as worker.py, as far as a POSIX shell with GNU or
# busybox tools can see. Variables in capitals are results of functions: a command substitution would cost a process
# and lose final newlines. No here-documents: some shells keep them in files. The limits of SHARE and RATE are not kept.
NONCE=$nonce
LF='
'
READER=
if command -v timeout >/dev/null 2>&1 && timeout 5 true 2>/dev/null; then READER=timeout; fi
GNU_FIND=
PUBLIC=
IGNORED=$LF
if find / -maxdepth 0 -printf '' >/dev/null 2>&1; then GNU_FIND=yes; fi

mark() { printf '\n%s %s\n' "$NONCE" "$*"; }

decode() { # WORD -> DECODED
  case $1 in
    -) DECODED= ;;
    *\\*) DECODED=$(printf '%bx' "$1"); DECODED=${DECODED%x} ;;
    *) DECODED=$1 ;;
  esac
}

encode() { # TEXT -> ENCODED
  case $1 in
    '') ENCODED=- ;;
    - | *[!A-Za-z0-9._/@:+,=~%-]*) ENCODED=$(printf %s "$1" | od -An -v -b | sed 's/ \([0-7][0-7][0-7]\)/\\0\1/g' | tr -d ' \n') ;;
    *) ENCODED=$1 ;;
  esac
}

denied() { # PATH: whether a directory on the way may not be entered
  way=${1%/*}
  while [ -n "$way" ] && [ ! -e "$way" ]; do way=${way%/*}; done
  [ -d "$way/" ] && { [ ! -x "$way/" ] || [ ! -r "$way/" ]; }
}

link_of() { LINK=$(readlink -n "$1" 2>/dev/null; printf x); LINK=${LINK%x}; }

redact() { # HOW
  case $1 in
    shadow) awk 'BEGIN { FS = OFS = ":" }
      NF > 1 { bare = $2; sub(/^[!*]+/, "", bare)
        if ($2 == "") $2 = "empty"
        else if (bare == "" || bare == "x") $2 = "locked"
        else { lock = bare == $2 ? "" : "!"
          $2 = match(bare, /^[$][0-9a-zA-Z_-]+[$]/) ? lock substr(bare, 1, RLENGTH) : lock "des" } }
      { print }' ;;
    secrets) sed -E \
      -e 's/(auth)((ors?|ority|oritative|tok_[a-z_]*|info_unavail|_err|_enable)[[:space:]]*[=:])/\1<>\2/Ig' \
      -e 's/(passwd)(:[[:space:]]+(files|compat|db|nis|ldap|sss|systemd|winbind)([^[:alnum:]_]|$))/\1<>\2/Ig' \
      -e 's/((pass(word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|auth)[A-Za-z0-9_-]*"?[[:space:]]*[=:][[:space:]]*)("[^"]*"|'"'[^']*'"'|[^[:space:]"'"'"'#;&|]+)/\1<redacted>/Ig' \
      -e 's/((^|[[:space:]"'"'"'])--?(pass(word|wd|phrase)?|secret|token|api[_-]?key)[A-Za-z0-9_-]*[[:space:]]+)[^[:space:]-][^[:space:]]*/\1<redacted>/Ig' \
      -e 's,([A-Za-z][A-Za-z0-9+.-]*://)[^/[:space:]:@]*:[^/[:space:]@]+@,\1<redacted>@,g' \
      -e 's/(auth|passwd)<>/\1/Ig' ;;
    boot) sed -E \
      -e '/password_pbkdf2[[:blank:]]+[^[:space:]"'"'"']+[[:blank:]]+[$][{]GRUB2_PASSWORD[}][[:blank:]]*$/b' \
      -e 's/(password(_pbkdf2)?[[:blank:]]+("[^"]*"|'"'[^']*'"'|[^[:space:]"'"'"']+)[[:blank:]]+).+/\1<redacted>/g' \
      -e 's/grub\.pbkdf2\.[^[:space:]"'"'"']*/<redacted>/g' | redact secrets ;;
    *) cat ;;
  esac
}

# Sets STATUS and DETAIL, and writes the content of a regular file: never opens a FIFO or device.
content() { # PATH MAX REDACT
  DETAIL=-
  if [ ! -e "$1" ]; then STATUS=absent; if denied "$1"; then STATUS=forbidden; fi
  elif [ ! -f "$1" ]; then STATUS=failed; DETAIL='not\0040a\0040regular\0040file'
  elif [ ! -r "$1" ]; then STATUS=forbidden
  else
    STATUS=ok
    head -c "$2" "$1" 2>/dev/null | redact "$3"
    if [ "$(head -c $(($2 + 1)) "$1" 2>/dev/null | wc -c)" -gt "$2" ]; then STATUS=truncated; fi
  fi
}

do_file() { decode "$3"; content "$DECODED" "$1" "$2"; CODE=-; }

public() { # PATH: whether every user may reach and read a file
  case $(stat -c %a "$1" 2>/dev/null) in *[4567]) ;; *) return 1 ;; esac
  if [ "${1%/*}" != "$PUBLIC" ]; then
    way=${1%/*}
    while [ -n "$way" ]; do
      case $(stat -L -c %a "$way" 2>/dev/null) in *[1357]) way=${way%/*} ;; *) return 1 ;; esac
    done
    PUBLIC=${1%/*}
  fi
}

wanted() { # all | public | none, PATH: whether the content of a file is to leave
  case $IGNORED in *"$LF$2$LF"*) return 1 ;; esac
  case $1 in
    all) [ -f "$2" ] ;;
    public) [ -f "$2" ] && [ ! -L "$2" ] && public "$2" ;;
    *) false ;;
  esac
}

member() { # PATH MAX REDACT CONTENT
  set -- "$1" "$2" "$3" "$4" "$(stat -c '%f %u %g' "$1" 2>/dev/null)"
  if [ -z "$5" ]; then return; fi
  encode "$1"; path=$ENCODED
  target=-
  if [ -L "$1" ]; then link_of "$1"; encode "$LINK"; target="=${ENCODED#-}"; fi
  word=ok
  if wanted "$4" "$1"; then
    if [ ! -r "$1" ]; then word=forbidden
    elif [ "$(head -c $(($2 + 1)) "$1" 2>/dev/null | wc -c)" -gt "$2" ]; then word=truncated; fi
  fi
  mark member "$word" "$((0x${5%% *}))" "${5#* }" "$path" "$target" -
  if [ "$word" != forbidden ] && wanted "$4" "$1"; then head -c "$2" "$1" 2>/dev/null | redact "$3"; fi
}

below() { # DIRECTORY and all directories beneath, links not followed
  each_path "$1/*"
  each_path "$1/.[!.]*"
  for directory in "$1"/* "$1"/.[!.]*; do
    if [ -d "$directory" ] && [ ! -L "$directory" ]; then below "$directory"; fi
  done
}

each_path() { # PATTERN: its members
  saved=$IFS; IFS=
  set +f
  # shellcheck disable=SC2086 # the pattern is to be expanded
  for found in $1; do
    IFS=$saved
    if [ -e "$found" ] || [ -L "$found" ]; then
      COUNT=$((COUNT + 1))
      if [ "$COUNT" -le "$MAX_FILES" ]; then member "$found" "$MAX" "$HOW" "$WITH"; fi
    elif denied "$found"; then
      COUNT=$((COUNT + 1))
      encode "$way"; mark member forbidden 0 0 0 "$ENCODED" - -
    fi
  done
  IFS=$saved
}

do_glob() { # MAXFILES MAX REDACT CONTENT PATTERN...
  MAX_FILES=$1 MAX=$2 HOW=$3 WITH=$4 COUNT=0 IGNORED=$LF
  shift 4
  for word in "$@"; do
    decode "$word"
    case $DECODED in
      !*) IGNORED="$IGNORED${DECODED#!}$LF" ;;
      "~"*) if command -v "${DECODED#"~"}" >/dev/null 2>&1; then break; fi ;;
      */\*\*) set +f; below "${DECODED%/\*\*}" ;;
      *\*\**) MAX_FILES=0; COUNT=1 ;;
      */\**) each_path "$DECODED"; each_path "${DECODED%/*}/.[!.]${DECODED##*/}" ;;
      *) each_path "$DECODED" ;;
    esac
  done
  set -f
  CODE=- DETAIL=- STATUS=ok
  if [ "$COUNT" = 0 ]; then STATUS=absent; fi
  if [ "$COUNT" -gt "$MAX_FILES" ]; then STATUS=truncated; DETAIL='too\0040many\0040files'; fi
}

do_command() { # MAX TIMEOUT REDACT ROOTED ARGUMENT...
  max=$1 limit=$2 how=$3
  shift 4
  count=$#
  while [ "$count" -gt 0 ]; do
    decode "$1"; shift; set -- "$@" "$DECODED"; count=$((count - 1))
  done
  CODE=- DETAIL=-
  if ! command -v "$1" >/dev/null 2>&1; then STATUS=absent; return; fi
  if [ -n "$READER" ]; then set -- timeout "$limit" "$@"; fi
  { CODE=$({ { "$@" </dev/null 2>/dev/null; echo $? >&4; } | head -c "$max" | redact "$how" >&3; } 4>&1); } 3>&1
  STATUS=ok
  case $READER$CODE in timeout124 | timeout143) STATUS=timed_out ;; esac
}

do_processes() {
  hidden=0
  set +f
  for directory in /proc/[0-9]*; do one_process "$directory" "${directory#/proc/}"; done
  set -f
  STATUS=ok CODE=- DETAIL=-
  if [ "$hidden" != 0 ]; then DETAIL="$hidden"'\0040processes\0040of\0040other\0040users\0040were\0040not\0040visible'; fi
}

one_process() { # DIRECTORY PID
  { line=$(cat "$1/stat"; printf x) && owner=$(stat -c %u "$1"); } 2>/dev/null || return
  line=${line%x}
  name=${line#*\(}; name=${name%)*}
  encode "$name"; name=$ENCODED
  # shellcheck disable=SC2086 # numbers between blanks
  set -- "$1" "$2" ${line##*) }
  if [ $# -lt 22 ]; then return; fi
  parent=$4; shift 21; started=$1; set -- "/proc/${line%% *}"
  link_of "$1/exe"
  visible=1
  if [ -z "$LINK" ] && [ ! -r "$1/fd" ]; then visible=0; hidden=$((hidden + 1)); fi
  deleted=0
  case $LINK in *' (deleted)') deleted=1; LINK=${LINK% (deleted)} ;; esac
  encode "$LINK"; exe=$ENCODED
  sockets=
  for descriptor in "$1"/fd/*; do
    link_of "$descriptor"
    case $LINK in socket:\[*\]) LINK=${LINK#socket:\[}; sockets="$sockets${sockets:+,}${LINK%\]}" ;; esac
  done
  if [ "$visible" = 1 ]; then loaded "$1"; else LOADED='' LOOKED=forbidden APART=0; fi
  mark process "${1#/proc/}" "$parent" "$owner" "$name" "$exe" "$deleted" "${sockets:--}" - "$started" "$visible" "$LOOKED" "$APART"
  if [ -n "$LOADED" ]; then printf '%s\n' "$LOADED" | gone_files "$exe"; fi
}

loaded() { # /proc/PID -> LOADED, LOOKED, APART: what loaded.py tells of a process, inode and path of each file
  LOOKED=ok APART=0
  mapped='^[0-9a-f]+-[0-9a-f]+ ..xp [0-9a-f]+ [0-9a-f:]+ ([1-9][0-9]*) +'
  if ! LOADED=$(sed -n -E -e '500000{s/.*/!/p;q;}' -e "s,$mapped(/.*) \\(deleted\\)\$,\\1 \\2,p;t" -e "s,$mapped(/(tmp|var/tmp|dev/shm|run)/.*)\$,-\\1 \\2,p" 2>/dev/null <"$1/maps") 2>/dev/null; then
    if [ -e "$1/stat" ]; then LOOKED=forbidden; fi
  fi
  case $LF$LOADED in *"$LF!") LOADED=${LOADED%!} LOOKED=truncated ;; esac
  if [ -z "$LOADED" ]; then return; fi
  LOADED=$(printf '%s\n' "$LOADED" | sort -u | head -n 501)
  if [ "$(printf '%s\n' "$LOADED" | wc -l)" -gt 500 ]; then LOADED=$(printf '%s\n' "$LOADED" | head -n 500); LOOKED=truncated; fi
  link_of "$1/ns/mnt"; space=$LINK
  link_of /proc/self/ns/mnt
  inside=
  if [ "$space" != "$LINK" ]; then
    inside=$1/root
    if [ "$(stat -L -c %d:%i "$1/root/" 2>/dev/null)" != "$(stat -c %d:%i /)" ]; then APART=1; fi
  fi
}

gone_files() { # EXECUTABLE, encoded; lines `INODE PATH` (`-INODE`: in scratch space) on standard input: a newline is \012
  while read -r inode path; do
    encode "$path"
    case $ENCODED in *'\0134\0060\0061\0062'*) ENCODED=$(printf %s "$ENCODED" | sed 's/\\0134\\0060\\0061\\0062/\\0012/g') ;; esac
    if [ "$ENCODED" = "$1" ] || [ "$inode$APART" = "-${inode#-}1" ]; then continue; fi
    decode "$ENCODED"
    fate=deleted
    since=$(stat -c %Z "$inside$DECODED" 2>/dev/null) && fate=replaced
    case $inode$DECODED in -*) fate=scratch ;; */memfd:*) fate=memory ;; esac
    if [ "$(stat -c %i "$inside$DECODED (deleted)" 2>/dev/null)" != "$inode" ]; then printf '%s - %s %s\n' "$fate" "$ENCODED" "${since:-0}${since:+000000000}"; fi
  done
}

# The walk. Everything that is not walked is an option of find; what find finds is written as records that no file name
# can forge: between NULs by GNU find, or, from busybox, one a line after names with control characters are refused.
tree_begin() { DIGEST=$1 TOPS='' PRUNED='' SKIPPED='' UNREAD=''; foreign; }

foreign() {
  while read -r _ _ _ _ point rest; do
    kind=${rest##* - }; kind=${kind%% *}
    case $kind in
      autofs | binfmt_misc | bpf | cgroup | cgroup2 | configfs | debugfs | devpts | devtmpfs | efivarfs | fusectl | hugetlbfs | mqueue | nsfs | proc | pstore | rpc_pipefs | securityfs | selinuxfs | sysfs | tracefs) reason=pseudo ;;
      9p | afs | ceph | cifs | glusterfs | lustre | ncpfs | nfs | nfs4 | smb3 | smbfs | virtiofs | fuse.*) reason=remote ;;
      *) continue ;;
    esac
    decode "$(printf %s "$point" | sed 's/\\\([0-7]\)/\\0\1/g')"
    prune "$DECODED" "$reason"
  done </proc/self/mountinfo
}

quote() { QUOTED="'$(printf %s "$1" | sed "s/'/'\\\\''/g")'"; }

pattern() { PATTERN=$(printf %s "$1" | sed 's/[][*?\\]/\\&/g'); }

prune() { # PATH REASON
  pattern "$1"; quote "$PATTERN"
  PRUNED="$PRUNED -path $QUOTED -o"
  SKIPPED="$SKIPPED$2 $1$LF"
}

tree_rule() { # ACTION SIZE GLOB
  decode "$3"; glob=$DECODED; prefix=${glob%%[*?[]*}
  case $1/$glob in
    prune/"$prefix**") prune "${prefix%/}" rule ;;
    prune/"$prefix") prune "$prefix" rule ;;
    stat/*) quote "$(printf %s "$glob" | sed 's,/\*\*,/*,g')"; UNREAD="$UNREAD ! -path $QUOTED" ;;
  esac
}

tree_top() { decode "$1"; quote "${DECODED%/}"; if [ "$DECODED" = / ]; then QUOTED=/; fi; TOPS="$TOPS $QUOTED"; }

# Digests files no faster than share (percent of a processor; proc(5) counts hundredths of a second) and rate (bytes a
# second) allow: it waits after each file, since the tool itself knows no pace.
# shellcheck disable=SC2016 # for another shell to expand
SLOWLY='
share=$1 rate=$2 tool=$3 option=$4
shift 4
read -r begun _ </proc/uptime
bytes=0 due=0
for path do
  "${tool}sum" $option "$path"
  if [ "$share" != 0 ]; then
    read -r line </proc/$$/stat
    set -- ${line##*) }
    due=$(((${12} + ${13} + ${14} + ${15}) / share))
  fi
  if [ "$rate" != 0 ]; then
    bytes=$((bytes + $(stat -c %s "$path")))
    if [ $((bytes / rate)) -gt "$due" ]; then due=$((bytes / rate)); fi
  fi
  while read -r now _ </proc/uptime && [ $((${now%.*} - ${begun%.*})) -lt "$due" ]; do sleep 1; done
done'

tree_run() {
  STATUS=ok CODE=- DETAIL=-
  option=
  if [ -n "$GNU_FIND" ]; then option=-z; fi
  case $share$rate in
    00) set -- "${DIGEST}sum" $option ;;
    *) set -- sh -c "$SLOWLY" driftscan "$share" "$rate" "$DIGEST" "$option" ;;
  esac
  printf %s "$SKIPPED" | while read -r reason path; do
    if [ -e "$path" ]; then printf 'X %s\000%s\000\000\000' "$reason" "$path"; fi
  done
  if [ -n "$GNU_FIND" ]; then
    eval "find $TOPS \\( $PRUNED -false \\) -prune -o -printf '%y %m %U %G %s %n %T@ %C@ %i %D - - -\\000%p\\000%l\\000\\000'" 2>/dev/null
    if [ "$(id -u)" != 0 ]; then
      eval "find $TOPS \\( $PRUNED -false \\) -prune -o -type d \\( ! -readable -o ! -executable \\) -printf 'X forbidden\\000%p\\000\\000\\000'" 2>/dev/null
    fi
    mark hashes
    if [ -n "$DIGEST" ]; then
      if [ "$(id -u)" != 0 ]; then
        eval "find $TOPS \\( $PRUNED -false \\) -prune -o -type f $UNREAD ! -readable -printf '!forbidden  %p\\000'" 2>/dev/null
      fi
      eval "find $TOPS \\( $PRUNED -false \\) -prune -o -type f $UNREAD -print0" 2>/dev/null | xargs -0 -r "$@" 2>/dev/null
    fi
    return
  fi
  control=$(printf '*[\001-\037\177]*')
  quote "$control"; safe="! -name $QUOTED"
  refused=$(eval "find $TOPS \\( $PRUNED ! -name '*' \\) -prune -o -name $QUOTED -print" 2>/dev/null | head -c 1)
  if [ -n "$refused" ]; then printf 'X control\000/\000\000\000'; fi
  if [ "$(id -u)" != 0 ]; then
    eval "find $TOPS \\( $PRUNED -name $QUOTED \\) -prune -o $safe -type d -exec sh -c '[ ! -r \"\$1\" ] || [ ! -x \"\$1\" ]' _ {} \\; -exec printf 'X forbidden\\000%s\\000\\000\\000' {} \\;" 2>/dev/null
  fi
  mark entries
  eval "find $TOPS \\( $PRUNED -name $QUOTED \\) -prune -o $safe -exec stat -c '%f %u %g %s %h %Y %Z %i %t:%T %n' {} +" 2>/dev/null
  mark links
  eval "find $TOPS \\( $PRUNED -name $QUOTED \\) -prune -o $safe -type l -print" 2>/dev/null | while IFS= read -r path; do
    link_of "$path"; encode "$path"; path=$ENCODED; encode "$LINK"; printf '%s %s\n' "$path" "$ENCODED"
  done
  mark hashes
  if [ -n "$DIGEST" ]; then
    if [ "$(id -u)" != 0 ]; then
      eval "find $TOPS \\( $PRUNED -name $QUOTED \\) -prune -o $safe -type f $UNREAD -exec sh -c '[ ! -r \"\$1\" ]' _ {} \\; -exec printf '!forbidden  %s\\n' {} \\;" 2>/dev/null
    fi
    eval "find $TOPS \\( $PRUNED -name $QUOTED \\) -prune -o $safe -type f $UNREAD -exec \"\$@\" {} +" 2>/dev/null
  fi
}

finish() { # the walk runs when its last rule has been read
  if [ -n "$WALK" ]; then
    mark begin "$WALK"
    tree_run
    mark end "$WALK" "$STATUS" - -
    WALK=
  fi
}

# A walk that `go` begins: nothing comes before it is answered, unless the scanner is gone. No large file may keep us then.
last() {
  if [ -z "$WALK" ]; then return; fi
  { { read -r _ || kill -9 0; } <&5 & } 5<&0
  listener=$!
  finish
  { kill -9 "$listener"; wait "$listener"; } 2>/dev/null # another signal might come before the shell minds it
}

do_locks() { # PATH...
  held=$(cat /proc/locks 2>/dev/null)
  for word in "$@"; do
    decode "$word"
    inode=$(stat -L -c %i "$DECODED" 2>/dev/null) || continue
    case $held in *":$inode "*) printf '%s\n' "$DECODED" ;; esac
  done
  STATUS=ok CODE=- DETAIL=-
}

permitted() { # WORD ARGUMENT...: as worker.py has it
  if [ -z "$DRIFTSCAN_PERMITTED" ]; then return 0; fi
  case "$LF$DRIFTSCAN_PERMITTED$LF" in *"$LF$*$LF"*) return 0 ;; esac
  case $1/$5 in glob/none | glob/public | processes/* | locks/*) return 0 ;; esac
  return 1
}

answer() { # WORD KEY ARGUMENT...
  word=$1 KEY=$2
  shift 2
  if ! permitted "$word" "$@"; then word=refused; fi
  mark begin "$KEY"
  case $word in
    file) do_file "$@" ;;
    glob) do_glob "$@" ;;
    command) do_command "$@" ;;
    processes) do_processes ;;
    locks) do_locks "$@" ;;
    refused) STATUS=forbidden CODE=- DETAIL='not\0040among\0040what\0040this\0040probe\0040may\0040be\0040asked' ;;
    *) STATUS=unsupported CODE=- DETAIL=- ;;
  esac
  mark end "$KEY" "$STATUS" "$CODE" "$DETAIL"
}

serve() {
  WALK=
  set -f
  read -r boot </proc/sys/kernel/random/boot_id || boot=-
  encode "$(uname -n)"
  mark hello 2 "$(id -u)" "$ENCODED" "$boot" sh -
  while IFS= read -r line; do
    # shellcheck disable=SC2086 # words between blanks; globbing is off
    set -- $line
    case $1 in
      top) tree_top "$2" ;;
      rule) tree_rule "$2" "$3" "$4" ;;
      same) ;;
      tree) finish; WALK=$2; decode "$3"; tree_begin "$DECODED" ;;
      go) last; mark round ;;
      *) finish; answer "$@" ;;
    esac
  done
}

# Ends everything at the deadline: sshd and the scanner start us as a session of its own.
watch() {
  sleep "$seconds" &
  trap 'kill $!; exit' TERM
  wait
  kill -9 0
}

if [ "$root" != / ] || ! command -v stat >/dev/null 2>&1 || ! command -v find >/dev/null 2>&1 || ! command -v od >/dev/null 2>&1; then
  echo 'driftscan: neither Python 3.6 or later nor stat, find and od on this machine' >&2
  exit 97
fi
watch </dev/null >/dev/null 2>&1 &
watcher=$!
trap 'kill "$watcher" 2>/dev/null' EXIT
trap 'exit 141' PIPE HUP INT TERM
serve
