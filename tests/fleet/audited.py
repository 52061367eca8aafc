"""A host as a careful administrator hardens it, and thirty ways to undo that: what an audit must tell apart."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fleet.bed import network
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run

# What the image's build would install and set. Settings of the kernel that are the machine's, not the host's own, and
# what partitions and a boot loader would carry can't be set on hosts of the bed.
_HARDENING = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qqy install --no-install-recommends apparmor auditd chrony libpam-pwquality >/dev/null 2>&1

cat > /etc/ssh/sshd_config.d/10-hardening.conf <<'END'
AllowGroups root deploy
Banner /etc/issue.net
ClientAliveCountMax 3
ClientAliveInterval 15
DisableForwarding yes
KbdInteractiveAuthentication no
LoginGraceTime 60
LogLevel VERBOSE
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
MaxAuthTries 3
MaxSessions 10
MaxStartups 10:30:60
PasswordAuthentication no
PermitRootLogin prohibit-password
X11Forwarding no
END
chmod 600 /etc/ssh/sshd_config /etc/ssh/sshd_config.d/10-hardening.conf
echo 'Authorized use only. What is done here is recorded.' | tee /etc/issue > /etc/issue.net
: > /etc/motd

mkdir -p /etc/modprobe.d
for module in cramfs freevxfs hfs hfsplus jffs2 overlayfs squashfs udf usb-storage dccp tipc rds sctp; do
    printf 'install %s /bin/false\nblacklist %s\n' "$module" "$module"
done > /etc/modprobe.d/hardening.conf

cat > /etc/security/faillock.conf <<'END'
deny = 5
unlock_time = 900
even_deny_root
END
cat > /etc/security/pwquality.conf <<'END'
difok = 2
minlen = 14
minclass = 4
maxrepeat = 3
maxsequence = 3
dictcheck = 1
enforce_for_root
END
cat > /usr/share/pam-configs/faillock <<'END'
Name: Lock accounts after failed logins
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
	[default=die] pam_faillock.so authfail
END
cat > /usr/share/pam-configs/faillock_notify <<'END'
Name: Lock accounts after failed logins, before and after
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
	requisite pam_faillock.so preauth
Account-Type: Primary
Account:
	required pam_faillock.so
END
cat > /usr/share/pam-configs/pwhistory <<'END'
Name: Passwords that were used before
Default: yes
Priority: 1024
Password-Type: Primary
Password:
	requisite pam_pwhistory.so remember=24 enforce_for_root try_first_pass use_authtok
END
pam-auth-update --package --enable faillock faillock_notify pwhistory pwquality unix
sed -i 's/ nullok//' /etc/pam.d/common-auth /etc/pam.d/common-password
groupadd -f nosu
sed -i 's/^# *auth *required *pam_wheel.so$/auth required pam_wheel.so use_uid group=nosu/' /etc/pam.d/su

sed -i -e 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 365/' -e 's/^PASS_MIN_DAYS.*/PASS_MIN_DAYS 1/' \
    -e 's/^UMASK.*/UMASK 027/' /etc/login.defs
sed -i 's/^DIR_MODE=.*/DIR_MODE=0750/' /etc/adduser.conf 2>/dev/null || true
useradd -D -f 45 >/dev/null
printf 'umask 027\nreadonly TMOUT=900\nexport TMOUT\n' > /etc/profile.d/50-hardening.sh
printf '* hard core 0\n' > /etc/security/limits.d/50-core.conf
mkdir -p /etc/systemd/coredump.conf.d
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' > /etc/systemd/coredump.conf.d/50-hardening.conf
chmod 750 /home/deploy
chmod 700 /root

printf 'Defaults logfile="/var/log/sudo.log"\nDefaults use_pty\n' > /etc/sudoers.d/10-hardening
printf 'deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart app.service\n' > /etc/sudoers.d/90-cloud-init-users
chmod 440 /etc/sudoers.d/*

chmod 600 /etc/crontab
for job in cron.d cron.hourly cron.daily cron.weekly cron.monthly cron.yearly; do
    [ ! -d "/etc/$job" ] || chmod 700 "/etc/$job"
done
echo root > /etc/cron.allow
echo root > /etc/at.allow
chmod 640 /etc/cron.allow /etc/at.allow

mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nCompress=yes\nForwardToSyslog=yes\nSystemMaxUse=1G\nSystemKeepFree=500M\n' \
    > /etc/systemd/journald.conf.d/50-hardening.conf
printf '$FileCreateMode 0640\n' > /etc/rsyslog.d/01-mode.conf
printf '*.* action(type="omfwd" target="192.0.2.10" port="514" protocol="tcp" action.resumeRetryCount="-1"' \
    > /etc/rsyslog.d/60-forward.conf
printf ' queue.type="LinkedList" queue.size="1000")\n' >> /etc/rsyslog.d/60-forward.conf
find /var/log -type f -perm /0137 -exec chmod u-x,g-wx,o-rwx {} +

printf 'session optional pam_umask.so\n' >> /etc/pam.d/common-session
printf 'session optional pam_umask.so\n' >> /etc/pam.d/common-session-noninteractive

sed -i -e 's/^max_log_file_action.*/max_log_file_action = keep_logs/' \
    -e 's/^disk_full_action.*/disk_full_action = halt/' \
    -e 's/^disk_error_action.*/disk_error_action = halt/' -e 's/^space_left_action.*/space_left_action = email/' \
    -e 's/^admin_space_left_action.*/admin_space_left_action = halt/' /etc/audit/auditd.conf
{
    for path in /etc/sudoers /etc/sudoers.d; do echo "-w $path -p wa -k scope"; done
    echo '-w /var/log/sudo.log -p wa -k sudo'
    for path in localtime issue issue.net hosts networks network netplan group passwd gshadow shadow security/opasswd \
        nsswitch.conf pam.conf pam.d apparmor apparmor.d; do
        echo "-w /etc/$path -p wa -k settings"
    done
    for path in /run/utmp /var/run/utmp /var/log/wtmp /var/log/btmp /var/log/lastlog /var/run/faillock /run/faillock; do
        echo "-w $path -p wa -k logins"
    done
    for arch in b64 b32; do
        rule="-a always,exit -F arch=$arch"
        person='-F auid>=1000 -F auid!=unset'
        echo "$rule -C euid!=uid -F auid!=unset -S execve -k user_emulation"
        echo "$rule -S adjtimex,settimeofday,clock_settime -k time"
        echo "$rule -S sethostname,setdomainname -k locale"
        echo "$rule -S creat,open,openat,truncate,ftruncate -F exit=-EACCES $person -k access"
        echo "$rule -S creat,open,openat,truncate,ftruncate -F exit=-EPERM $person -k access"
        echo "$rule -S chmod,fchmod,fchmodat $person -k perm"
        echo "$rule -S chown,fchown,lchown,fchownat $person -k perm"
        echo "$rule -S setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr $person -k perm"
        echo "$rule -S mount $person -k mounts"
        echo "$rule -S rename,unlink,unlinkat,renameat $person -k delete"
        echo "$rule -S init_module,finit_module,delete_module,create_module,query_module $person -k modules"
    done
    for program in bin/chcon bin/setfacl bin/chacl sbin/usermod bin/kmod; do
        echo "-a always,exit -F path=/usr/$program -F perm=x $person -k programs"
    done
    find / -xdev -perm /6000 -type f -printf "-a always,exit -F path=%p -F perm=x $person -k privileged\n"
} > /etc/audit/rules.d/50-hardening.rules
echo '-e 2' > /etc/audit/rules.d/99-finalize.rules
chmod 640 /etc/audit/rules.d/*.rules
augenrules >/dev/null

cat > /etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        iif != lo ip saddr 127.0.0.0/8 counter drop
        iif != lo ip6 saddr ::1 counter drop
        ct state established,related accept
        tcp dport { 22, 80 } accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
    chain output {
        type filter hook output priority 0; policy drop;
        oif lo accept
        ct state established,related accept
        udp dport { 53, 123 } accept
        tcp dport { 53, 80, 443, 3142, 14000 } accept
    }
}
END
systemctl -q enable --now nftables.service
mount -o remount,nodev,nosuid,noexec /tmp
mount -o remount,nodev,nosuid,noexec /dev/shm
systemctl restart ssh systemd-journald rsyslog
"""

# Of the host's own network namespace; a container sees /proc/sys read-only, so they are set from outside.
_NETWORK_SETTINGS = (
    "net.ipv4.conf.all.send_redirects=0",
    "net.ipv4.conf.default.send_redirects=0",
    "net.ipv4.conf.all.accept_redirects=0",
    "net.ipv4.conf.default.accept_redirects=0",
    "net.ipv4.conf.all.secure_redirects=0",
    "net.ipv4.conf.default.secure_redirects=0",
    "net.ipv4.conf.all.rp_filter=1",
    "net.ipv4.conf.default.rp_filter=1",
    "net.ipv4.conf.all.accept_source_route=0",
    "net.ipv4.conf.default.accept_source_route=0",
    "net.ipv4.conf.all.log_martians=1",
    "net.ipv4.conf.default.log_martians=1",
    "net.ipv6.conf.all.accept_redirects=0",
    "net.ipv6.conf.default.accept_redirects=0",
    "net.ipv6.conf.all.accept_ra=0",
    "net.ipv6.conf.default.accept_ra=0",
)


@dataclass(frozen=True)
class Breakage:
    """One thing that somebody undoes, and the rules of the shipped policies that must fail for it, and no others."""

    name: str
    fails: tuple[str, ...]
    script: str


BREAKAGES = (
    Breakage(
        "a second root",
        ("root-alone-is-root", "root-alone-in-group-0", "user-ids-once", "access-root-accounts"),
        "useradd -o -u 0 -g 0 -M -d /root -s /bin/sh toor",
    ),
    Breakage(
        "an account without a password",
        ("no-empty-passwords", "access-empty-password", "no-shell-no-password"),
        "useradd -M -s /usr/sbin/nologin guest; passwd -q -d guest",
    ),
    Breakage("passwords readable", ("shadow-files",), "chmod 644 /etc/shadow"),
    Breakage(
        "a password under an old hash",
        ("password-hash-strength", "access-password"),
        "useradd -M -s /usr/sbin/nologin old; usermod -p '$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/' old",
    ),
    Breakage(
        "passwords over ssh",
        ("ssh-password-login", "access-ssh-passwords", "ssh-configuration-closed"),
        "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/05-x.conf",
    ),
    Breakage(
        "root's login over ssh with a password",
        ("ssh-root-login",),
        "echo 'PermitRootLogin yes' >> /etc/ssh/sshd_config.d/05-x.conf",
    ),
    Breakage(
        "empty passwords over ssh",
        ("ssh-empty-passwords",),
        "echo 'PermitEmptyPasswords yes' >> /etc/ssh/sshd_config.d/05-x.conf",
    ),
    Breakage(
        "many tries over ssh", ("ssh-max-auth-tries",), "echo 'MaxAuthTries 20' >> /etc/ssh/sshd_config.d/05-x.conf"
    ),
    Breakage(
        "weak ciphers", ("ssh-weak-ciphers",), "echo 'Ciphers aes128-ctr,3des-cbc' >> /etc/ssh/sshd_config.d/05-x.conf"
    ),
    Breakage(
        "sudo without a password for all",
        ("sudo-everything-without-password",),
        "echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops; chmod 440 /etc/sudoers.d/ops",
    ),
    Breakage("sudo's own log gone", ("sudo-log-file",), "sed -i /logfile/d /etc/sudoers.d/10-hardening"),
    Breakage("accounts never locked", ("pam-faillock",), "sed -i /pam_faillock/d /etc/pam.d/common-auth"),
    Breakage("short passwords", ("password-length",), "sed -i 's/^minlen.*/minlen = 6/' /etc/security/pwquality.conf"),
    Breakage("old passwords used again", ("pam-history",), "sed -i /pam_pwhistory/d /etc/pam.d/common-password"),
    Breakage("su for everybody", ("su-restricted",), "sed -i /pam_wheel/d /etc/pam.d/su"),
    Breakage(
        "passwords that last",
        ("new-passwords-expire",),
        "sed -i 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 99999/' /etc/login.defs",
    ),
    Breakage("an open home", ("home-directories-closed",), "chmod 755 /home/deploy"),
    Breakage("a job that everybody can write", ("cron-table", "cron-table-private"), "chmod 666 /etc/crontab"),
    Breakage("anybody may have jobs", ("cron-allowed-users",), "rm /etc/cron.allow"),
    Breakage(
        "a set-uid shell",
        ("setid-programs", "audit-privileged-programs"),
        "install -m 4755 /bin/dash /usr/local/bin/helper",
    ),
    Breakage(
        "a file that everybody can write",
        ("world-writable-files",),
        "touch /etc/app/extra.conf; chmod 666 /etc/app/extra.conf",
    ),
    Breakage("a file of nobody", ("files-owned",), "touch /srv/left; chown 4242:4242 /srv/left"),
    Breakage("a log that is open", ("log-files-closed",), "touch /var/log/app.log; chmod 666 /var/log/app.log"),
    Breakage(
        "no firewall",
        ("firewall-default-deny", "one-firewall"),
        "nft flush ruleset; systemctl -q disable nftables; : > /etc/nftables.conf",
    ),
    Breakage(
        "the audit daemon off",
        ("audit-running", "audit-merged"),
        "systemctl -q disable auditd; echo '-a never,task' >> /etc/audit/audit.rules",
    ),
    Breakage("a clock that nobody keeps", ("time-synchronization",), "systemctl -q disable --now chrony"),
    Breakage(
        "a telnet server",
        ("legacy-servers",),
        "DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends inetutils-telnetd >/dev/null",
    ),
    Breakage("programs from /tmp", ("tmp-noexec",), "mount -o remount,exec /tmp"),
    Breakage(
        "an apt source that nobody signs",
        ("apt-signed", "apt-key-of-its-own"),
        "echo 'deb [trusted=yes] http://192.0.2.1/debian ./' > /etc/apt/sources.list.d/extra.list",
    ),
    Breakage(
        "a login text that tells the version",
        ("login-texts-tell-nothing",),
        "printf '%s\\n' '\\S \\v on \\m' > /etc/issue.net",
    ),
)


def harden(host: Host) -> None:
    """Both scripts leave a host that ssh still reaches."""
    host.shell(_HARDENING, timeout=900)
    namespace = network.namespace(host.settings, host.name)
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", *_NETWORK_SETTINGS)


def undo(host: Host) -> None:
    for breakage in BREAKAGES:
        host.shell(breakage.script)
    host.must("systemctl", "reload", "ssh")
