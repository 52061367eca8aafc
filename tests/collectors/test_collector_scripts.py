"""What collectors run on a target changes nothing there and lets no secret out; what they read is no secret."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from driftscan.collectors import containers, firewall, sysctl
from driftscan.collectors._sysctl_moving import why_moving
from driftscan.model.glob import to_regex
from driftscan.model.source import Command

SHELLS = [name for name in ("dash", "bash", "busybox") if any(Path(d, name).exists() for d in os.get_exec_path())]


def run(source: Command, shell: str, places: dict[str, str], path: str) -> subprocess.CompletedProcess[str]:
    """The script of a source with some of its places elsewhere."""
    script = source.argv[2]
    for place, other in places.items():
        assert place in script
        script = script.replace(place, other)
    argv = [which("busybox"), "sh"] if shell == "busybox" else [which(shell)]
    return subprocess.run(
        [*argv, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={"PATH": path, "LC_ALL": "C"},
    )


def which(name: str) -> str:
    found = shutil.which(name)
    assert found, name
    return found


def program(folder: Path, name: str, body: str) -> str:
    """A program of that name before all others; returns the PATH for it."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", SHELLS)
class TestFirewall:
    def places(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "kallsyms").write_text("0000000000000000 t nf_hook_entry_head\n")
        return {"/sys/module/nf_tables": f"{tmp_path}/module", "/proc/kallsyms": f"{tmp_path}/kallsyms"}

    def test_nft_is_not_asked_without_tables(self, tmp_path: Path, shell: str) -> None:
        path = program(tmp_path / "bin", "nft", f"touch {tmp_path}/asked")
        assert run(firewall.NFT, shell, self.places(tmp_path), path).returncode == 90
        assert not (tmp_path / "asked").exists()

    @pytest.mark.parametrize("how", ["loaded", "built in"])
    def test_nft_is_asked_where_there_are_tables(self, tmp_path: Path, shell: str, how: str) -> None:
        places = self.places(tmp_path)
        if how == "loaded":
            (tmp_path / "module").mkdir()
        else:
            (tmp_path / "kallsyms").write_text("0000000000000000 t nf_tables_newtable\n")
        done = run(firewall.NFT, shell, places, program(tmp_path / "bin", "nft", 'echo "$@"'))
        assert (done.returncode, done.stdout) == (0, "-j list ruleset\n")

    def test_iptables_is_asked_of_rules_that_nft_does_not_tell(self, tmp_path: Path, shell: str) -> None:
        (tmp_path / "module").mkdir()
        program(tmp_path / "bin", "nft", """echo '{"nftables": [{"rule": {"expr": [{"xt": null}]}}]}'""")
        program(tmp_path / "bin", "iptables-nft-save", "touch $0.asked; echo nf_tables")
        program(tmp_path / "bin", "ip6tables-nft-save", "echo legacy")
        path = program(tmp_path / "bin", "ip6tables-save", "echo nf_tables")
        done = run(firewall.NFT, shell, self.places(tmp_path), path)
        assert (done.returncode, done.stdout.splitlines()[1:]) == (
            0,
            ["@iptables", "nf_tables", "@ip6tables", "nf_tables"],
        )
        (tmp_path / "bin/iptables-nft-save.asked").unlink()
        program(tmp_path / "bin", "nft", """echo '{"nftables": []}'""")
        assert run(firewall.NFT, shell, self.places(tmp_path), path).stdout == '{"nftables": []}\n'
        assert not (tmp_path / "bin/iptables-nft-save.asked").exists()

    def test_without_nft_iptables_and_the_kernel_are_asked(self, tmp_path: Path, shell: str) -> None:
        (tmp_path / "module").mkdir()
        program(tmp_path / "bin", "python3", "echo ip filter")
        program(tmp_path / "bin", "iptables-save", "echo nf_tables")
        path = str(tmp_path / "bin")  # the machine may have nft
        program(tmp_path / "bin", "ip6tables-save", "echo nf_tables; case $1 in --version) ;; *) exit 4;; esac")
        done = run(firewall.NFT, shell, self.places(tmp_path), path)
        assert (done.returncode, done.stdout) == (92, "@tables\nip filter\n@iptables\nnf_tables\n")
        program(tmp_path / "bin", "python3", "exit 1")
        assert run(firewall.NFT, shell, self.places(tmp_path), path).stdout.startswith("@tables\n?\n@iptables\n")

    def test_legacy(self, tmp_path: Path, shell: str) -> None:
        places = {'"/proc/net/$names"': f'"{tmp_path}/$names"'}
        program(tmp_path / "bin", "iptables-save", 'case $1 in --version) echo "v1.8.9 (nf_tables)";; esac')
        path = str(tmp_path / "bin")  # the machine may have iptables of its own
        (tmp_path / "bin/cat").symlink_to(which("cat"))
        assert run(firewall.IPTABLES, shell, places, path).returncode == 90
        (tmp_path / "ip_tables_names").write_text("")
        assert run(firewall.IPTABLES, shell, places, path).returncode == 90
        (tmp_path / "ip_tables_names").write_text("filter\n")
        assert run(firewall.IPTABLES, shell, places, path).returncode == 91
        program(tmp_path / "bin", "iptables-legacy-save", "echo legacy")
        assert run(firewall.IPTABLES, shell, places, path).stdout == "legacy\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_docker_keeps_no_secret(tmp_path: Path, shell: str) -> None:
    secrets = ["hunter2", 'a"]}b\\"sesame', "three,four", "]five", "{six"]
    config = {
        "Name": "/web",
        "Config": {"Env": [f"P={one}" for one in secrets], "Cmd": ["run", "--password", "hunter2"], "Image": "nginx",
                   "Labels": {"token": "hunter2", "x": "sesame"}, "Healthcheck": {"Test": ["CMD", "hunter2"]}},
        "State": {"Running": True, "Health": {"Log": [{"Output": "sesame hunter2"}]}},
        "Args": ["-p", "hunter2"],
    }  # fmt: skip
    host = {"Privileged": True, "LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}}
    folder = tmp_path / "docker/containers/abc"
    folder.mkdir(parents=True)
    for indent in (None, 1):
        (folder / "config.v2.json").write_text(json.dumps(config, indent=indent, separators=(",", ":")))
        (folder / "hostconfig.json").write_text(json.dumps(host, separators=(",", ":")))
        places = {"/var/lib/docker": f"{tmp_path}/docker", "/run/docker.sock": f"{tmp_path}/none"}
        done = run(containers.DOCKER, shell, places, os.environ["PATH"])
        assert done.returncode == 0
        kept = {line.partition(" ")[0]: json.loads(line.partition(" ")[2]) for line in done.stdout.splitlines()}
        assert kept["abc/config.v2.json"]["Config"]["Image"] == "nginx"
        assert kept["abc/hostconfig.json"]["Privileged"] is True
        assert not any(word in done.stdout for word in ("hunter2", "sesame", "three", "five", "six"))


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/fs/binfmt_misc/status",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/net/ipv4/tcp_fastopen_key",
        "/proc/sys/net/core/netdev_rss_key",
        "/proc/sys/net/ipv6/conf/eth0/stable_secret",
        "/proc/sys/net/ipv6/conf/default/stable_secret",
        "/proc/sys/net/ipv4/conf/veth3f2a91c/rp_filter",
    ],
)
def test_sysctl_is_not_read(path: str) -> None:
    assert not any(re.fullmatch(to_regex(pattern), path) for pattern in sysctl.LIVE.patterns)


@pytest.mark.parametrize(
    "name",
    [
        "kernel.kptr_restrict", "kernel.randomize_va_space", "kernel.yama.ptrace_scope", "kernel.modules_disabled",
        "kernel.core_pattern", "kernel.tainted", "kernel.sysrq", "kernel.unprivileged_bpf_disabled",
        "kernel.perf_event_paranoid", "kernel.dmesg_restrict", "kernel.usermodehelper.bset", "fs.suid_dumpable",
        "fs.protected_symlinks", "vm.mmap_min_addr", "vm.overcommit_memory", "net.core.bpf_jit_harden",
        "net.ipv4.ip_forward", "net.ipv4.tcp_fastopen", "net.ipv4.tcp_syncookies", "net.ipv4.conf.eth0.rp_filter",
        "net.ipv6.conf.all.accept_redirects", "net.ipv6.conf.eth0.disable_ipv6", "net.bridge.bridge-nf-call-iptables",
        "net.ipv4.conf.van0.forwarding", "dev.tty.ldisc_autoload", "user.keys" ,
    ],
)  # fmt: skip
def test_sysctl_that_protects_is_read_and_compared(name: str) -> None:
    path = "/proc/sys/" + name.replace(".", "/")
    assert any(re.fullmatch(to_regex(pattern), path) for pattern in sysctl.LIVE.patterns)
    assert why_moving(name) == ""
