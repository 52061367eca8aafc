"""Kernel parameters whose value moves by itself or follows from the machine: observed, never compared.

Patterns are of fnmatch(3) over dotted names; each group has its reason. A parameter that an administrator sets on
purpose keeps its configured value among the compared attributes, whatever stands here.
"""

import re
from collections.abc import Mapping
from fnmatch import translate

REASONS: Mapping[str, tuple[str, ...]] = {
    "counts what happens now": (
        "fs.aio-nr", "fs.dentry-state", "fs.file-nr", "fs.inode-nr", "fs.inode-state", "fs.quota.*",
        "kernel.hung_task_detect_count", "kernel.hung_task_warnings", "kernel.ns_last_pid", "kernel.pty.nr",
        "kernel.random.entropy_avail", "net.netfilter.nf_conntrack_count", "kernel.perf_event_max_sample_rate",
        "net.*.tcp_child_ehash_entries", "net.*.udp_child_hash_entries", "sunrpc.transports",
    ),
    "is drawn at random": ("kernel.random.boot_id", "kernel.random.uuid"),
    "is the host's name": ("kernel.hostname", "kernel.domainname"),
    "follows from the size of memory": (
        "fs.epoll.max_user_watches", "fs.fanotify.max_user_marks", "fs.file-max", "fs.inotify.max_user_watches",
        "kernel.threads-max", "user.max_*", "net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.sctp.sctp_mem",
        "net.ipv4.tcp_max_orphans", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.*_hash_entries", "net.ipv4.*_ehash_entries",
        "net.ipv4.inet_peer_threshold", "net.ipv4.route.gc_thresh", "net.ipv4.route.max_size",
        "net.ipv6.route.max_size", "net.ipv4.xfrm4_gc_thresh", "net.ipv6.xfrm6_gc_thresh", "net.core.bpf_jit_limit",
        "net.netfilter.nf_conntrack_max", "net.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets",
        "net.netfilter.nf_conntrack_expect_max", "net.ipv4.fib_sync_mem",
        "vm.min_free_kbytes", "vm.user_reserve_kbytes", "vm.admin_reserve_kbytes", "vm.lowmem_reserve_ratio",
        "vm.nr_hugepages_mempolicy",
    ),
    "follows from the number and kind of processors": (
        "kernel.pid_max", "kernel.sched_domain.*", "kernel.watchdog_cpumask", "net.core.flow_limit_cpu_bitmap",
        "net.core.rps_default_mask", "kernel.sched_*_granularity_ns", "kernel.sched_latency_ns", "fs.mount-nr",
        "kernel.numa_balancing*", "kernel.arch", "kernel.bootloader_*",
    ),
    "is told by kernel_info": ("kernel.osrelease", "kernel.version", "kernel.ostype"),
    "lists what happens to be loaded": (
        "net.ipv4.tcp_available_congestion_control", "net.ipv4.tcp_available_ulp", "net.mptcp.available_*",
        "dev.cdrom.info", "dev.parport.*", "sunrpc.tcp_*_ports",
    ),
    "is negotiated with the network or the link": (
        "net.ipv6.conf.*.mtu", "net.ipv6.conf.*.hop_limit", "net.ipv6.neigh.*.base_reachable_time*",
        "net.ipv6.neigh.*.retrans_time*", "net.ipv6.neigh.*.gc_thresh*", "net.ipv4.neigh.*.gc_thresh*",
    ),
}  # fmt: skip

_QUOTA = (
    *("allocated_dquots", "cache_hits", "drops", "free_dquots", "lookups", "reads", "syncs", "warnings", "writes"),
)
NEVER_THE_SAME = (
    *(f"fs.quota.{name}" for name in _QUOTA),
    "fs.aio-nr", "fs.dentry-state", "fs.file-nr", "fs.inode-nr", "fs.inode-state", "fs.mount-nr", "kernel.hostname",
    "kernel.domainname", "kernel.hung_task_detect_count", "kernel.hung_task_warnings", "kernel.ns_last_pid",
    "kernel.perf_event_max_sample_rate", "kernel.pty.nr", "kernel.random.boot_id", "kernel.random.entropy_avail",
    "kernel.random.uuid", "net.netfilter.nf_conntrack_count",
)  # fmt: skip
"""Those of them whose values are not even read: with them no answer of a host would be that of another, or its own of a
minute ago."""

_MOVING = [(re.compile("|".join(map(translate, patterns))), reason) for reason, patterns in REASONS.items()]


def why_moving(name: str) -> str:
    """Why a parameter's current value is not compared; empty: it is."""
    return next((reason for pattern, reason in _MOVING if pattern.match(name)), "")
