"""Who did it: grades, the act that is chosen, and what must not be claimed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import fold
from driftscan.compare.attribute import attribute, missing
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.compare.witness import Act, Deed, Missing, Session, Witness
from driftscan.model.drift import Attribution, CauseType, Difference, Grade
from driftscan.model.times import SECOND, nanoseconds, utc
from driftscan.model.zone import ZoneClass
from tests.compare.building import A, B, added, file, modified, thing

NOON = nanoseconds("2026-11-26T12:00:00Z")
KEY = "SHA256:abc"


def changed(path: str, at: int) -> Difference:
    return replace(modified("file", path, sha256=(A, B)), observed={"ctime": at, "mtime": at})


def act(command: str, at: int = NOON, actor: str = "alice", **more: object) -> Act:
    return Act(at=at, deed=Deed.COMMAND, actor=actor, command=command, line=f"auth.log: {command}", **more)  # type: ignore[arg-type]


def login(user: str = "alice", opened: int = NOON - 60 * SECOND, closed: int = NOON + 60 * SECOND) -> Session:
    return Session(user=user, opened=opened, closed=closed, address="192.0.2.7", key=KEY)


def given_to(*items: Difference, witness: Witness) -> Attribution:
    (mutation,) = attribute(fold(items), Evidence(witness=witness))
    return mutation.attribution


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/sed -i s/a/b/ /etc/motd",
        "/usr/bin/sh -c 'echo x >> /etc/motd'",
        "/usr/bin/sh -c 'echo x>>/etc/motd'",
        "/bin/bash --login -c 'echo\\ x\\ \\>\\>\\ \\/etc\\/motd'",
        "/usr/bin/install --mode=0644 new --target-directory=/etc/motd",
    ],
)
def test_a_command_that_names_the_file_when_it_changed_is_recorded(command: str) -> None:
    found = given_to(changed("/etc/motd", NOON + SECOND), witness=Witness((act(command),), (login(),)))
    assert (found.grade, found.actor, found.command) == (Grade.RECORDED, "alice", command)
    assert found.at == "2026-11-26T12:00:00Z"
    assert found.evidence == (f"auth.log: {command}", f"ssh session of alice from 192.0.2.7 with key {KEY}")


def test_a_path_is_taken_from_where_the_command_was_run() -> None:
    witness = Witness((act("/usr/bin/vim motd", directory="/etc"),))
    assert given_to(changed("/etc/motd", NOON), witness=witness).grade is Grade.RECORDED
    witness = Witness((act("/usr/bin/vim motd", directory="/srv"),))
    assert given_to(changed("/etc/motd", NOON), witness=witness).grade is Grade.NONE


@pytest.mark.parametrize("apart", [-3600, -10, 300, 86_400])
def test_a_command_at_another_time_did_not_do_it(apart: int) -> None:
    witness = Witness((act("/usr/bin/vim /etc/motd", at=NOON - apart * SECOND),))
    assert given_to(changed("/etc/motd", NOON), witness=witness).grade is Grade.NONE


@pytest.mark.parametrize(
    "command", ["/usr/bin/ls /etc", "/usr/bin/cat /etc/motd.d/x", "/usr/bin/id motd", "/bin/ls /usr"]
)
def test_a_command_that_names_something_else_did_not_do_it(command: str) -> None:
    assert given_to(changed("/etc/motd", NOON), witness=Witness((act(command),))).grade is Grade.NONE


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("/bin/cp /tmp/helper /usr/local/bin", "/usr/local/bin/helper"),
        ("/bin/tar -xf x.tar -C /opt/tool", "/opt/tool/lib/a"),
    ],
)
def test_a_directory_that_something_is_put_into(command: str, path: str) -> None:
    item = replace(added(file(path)), observed={"ctime": NOON})
    assert given_to(item, witness=Witness((act(command),))).grade is Grade.RECORDED


def test_of_several_the_last_before_the_change_is_named() -> None:
    acts = (act("/bin/vi /etc/motd", NOON - 90 * SECOND, "bob"), act("/bin/vi /etc/motd", NOON - SECOND))
    assert given_to(changed("/etc/motd", NOON), witness=Witness(acts)).actor == "alice"


def test_an_account_tool_without_a_time_of_its_own_is_consistent() -> None:
    item = added(thing("user", "mallory", uid=1002, shell="/bin/sh", directory="/home/mallory"))
    acts = (
        act("/usr/sbin/useradd mallory"),
        Act(at=NOON + SECOND, deed=Deed.ACCOUNT, actor="", command="useradd", names=frozenset({"mallory"}), line="log"),
        act("/usr/bin/gpasswd -a mallory sudo", NOON + 9 * SECOND, "bob"),
    )
    found = given_to(item, witness=Witness(acts))
    assert (found.grade, found.actor, found.command) == (Grade.CONSISTENT, "alice", "/usr/sbin/useradd mallory")


def test_root_is_no_ones_name() -> None:
    item = modified("user", "root", shell=("/bin/bash", "/bin/sh"))
    assert given_to(item, witness=Witness((act("/bin/chown root /srv/x"),))).grade is Grade.NONE


def test_a_root_shell_that_was_opened_before_is_consistent() -> None:
    shell = Act(at=NOON - 600 * SECOND, deed=Deed.SHELL, actor="alice", command="/bin/bash", line="log")
    found = given_to(changed("/etc/motd", NOON), witness=Witness((shell,)))
    assert (found.grade, found.actor) == (Grade.CONSISTENT, "alice")


def test_who_was_there_is_a_guess() -> None:
    found = given_to(changed("/etc/motd", NOON), witness=Witness(sessions=(login("root"),)))
    assert (found.grade, found.actor, found.command) == (Grade.GUESSED, "root", None)


def test_of_two_who_were_there_none_is_named() -> None:
    both = (login("root"), replace(login("bob"), key="SHA256:other"))
    found = given_to(changed("/etc/motd", NOON), witness=Witness(sessions=both))
    assert (found.grade, found.actor) == (Grade.GUESSED, None)
    assert len(found.evidence) == 2


def test_whoever_had_left_is_not_named() -> None:
    witness = Witness(sessions=(login(closed=NOON - SECOND), login(opened=NOON + SECOND)))
    assert given_to(changed("/etc/motd", NOON), witness=witness).grade is Grade.NONE


def test_a_package_operation_gains_who_stood_behind_root() -> None:
    entry = Transaction(
        start=utc(NOON), end=utc(NOON), command="apt-get install nginx", install=(Item("nginx", "amd64"),)
    )
    entry = replace(entry, install=(Item("nginx", "amd64", "", "1.22"),))
    items = [added(thing("package", "nginx/amd64", version="1.22", status="installed"))]
    mutations = fold(items, Evidence(history=(entry,)))
    witness = Witness((act("/usr/bin/apt-get install nginx", NOON - SECOND),), (login(),))
    (found,) = attribute(mutations, Evidence(witness=witness))
    assert (found.attribution.grade, found.attribution.actor) == (Grade.RECORDED, "alice")
    assert found.attribution.evidence[-1] == f"ssh session of alice from 192.0.2.7 with key {KEY}"


@pytest.mark.parametrize(("after", "grade"), [(5, Grade.CONTRADICTED), (90, Grade.NONE)])
def test_what_apt_claims_and_the_content_denies_is_contradicted(after: int, grade: Grade) -> None:
    """A file that changed while apt unpacked its package, and is not what that shipped; and one changed later."""
    entry = Transaction(
        start=utc(NOON),
        end=utc(NOON + 10 * SECOND),
        command="apt upgrade",
        upgrade=(Item("curl", "amd64", "1", "2"),),
    )
    item = replace(
        modified("file", "/usr/bin/curl", sha256=(A, B)), observed={"ctime": NOON + after * SECOND, "md5": "f" * 32}
    )
    package = modified("package", "curl/amd64", version=("1", "2"))
    known = Evidence(package_files={"curl/amd64": {"/usr/bin/curl": "e" * 32}}, history=(entry,))
    found = {each.cause.type: each for each in attribute(fold([item, package], known), known)}
    given = found[CauseType.BINARY_CHANGED].attribution
    assert (given.grade, given.actor) == (grade, None)
    assert found[CauseType.PACKAGE_UPGRADED].attribution.grade is Grade.RECORDED


@pytest.mark.parametrize(
    ("changed_at", "grade"),
    [
        ((5,), Grade.RECORDED),
        ((100,), Grade.RECORDED),  # triggers run on
        ((-86_400, 5), Grade.RECORDED),  # one of its files changed then, another was touched at another time
        ((-86_400,), Grade.CONTRADICTED),
        ((86_400, 90_000), Grade.CONTRADICTED),
        ((), Grade.RECORDED),
    ],
)
def test_an_operation_at_another_time_than_its_files_changed_is_contradicted(
    changed_at: tuple[int, ...], grade: Grade
) -> None:
    """Who writes into apt's history that it was unattended-upgrades has not yet set the ctime of files back."""
    upgrade = (Item("curl", "amd64", "1", "2"),)
    command = "/usr/bin/unattended-upgrade"
    entry = Transaction(start=utc(NOON), end=utc(NOON + 10 * SECOND), command=command, upgrade=upgrade)
    paths = [f"/usr/share/curl/{index}" for index in range(len(changed_at))]
    files = [
        replace(modified("file", path, sha256=(A, B)), observed={"ctime": NOON + after * SECOND, "md5": "e" * 32})
        for path, after in zip(paths, changed_at, strict=True)
    ]
    known = Evidence(package_files={"curl/amd64": dict.fromkeys(paths, "e" * 32)}, history=(entry,))
    status = changed("/var/lib/dpkg/status", NOON + 10**6 * SECOND)  # later operations write it, too
    package = modified("package", "curl/amd64", version=("1", "2"))
    (found,) = attribute(fold([*files, status, package], known), known)
    assert (found.attribution.grade, found.attribution.actor) == (grade, "unattended-upgrades")
    assert any("not when the log has it" in line for line in found.attribution.evidence) is (
        grade is Grade.CONTRADICTED
    )


def test_logs_that_do_not_tell_are_findings() -> None:
    gone = (Missing("journal", "it begins late"), Missing("/var/log/wtmp", "x"), Missing("journal", "y"))
    found = missing(Witness(missing=gone))
    assert [(each.cause.type, each.cause.subject) for each in found] == [
        (CauseType.LOG_MISSING, "/var/log/wtmp"),
        (CauseType.LOG_MISSING, "journal"),
    ]
    assert found[1].title == "journal: it begins late; y"


times = st.integers(NOON - 7200 * SECOND, NOON + 7200 * SECOND)
acts = st.lists(
    st.builds(
        Act,
        at=times,
        deed=st.sampled_from(Deed),
        actor=st.sampled_from(["alice", "bob", ""]),
        command=st.sampled_from(["/bin/vi /etc/motd", "/bin/bash", "/bin/vi /etc/a 'open", "useradd"]) | st.text(),
        names=st.frozensets(st.sampled_from(["eve", "x"])),
        line=st.text(),
    )
)


@given(acts, times)
def test_attributing_changes_nothing_else(made: list[Act], at: int) -> None:
    mutations = fold([changed("/etc/motd", at), added(thing("user", "eve", uid=1, shell="/bin/sh"))])
    found = attribute(mutations, Evidence(witness=Witness(tuple(made))))
    assert [replace(each, attribution=Attribution()) for each in found] == list(mutations)
    for each in found:
        assert each.attribution.grade is not Grade.RECORDED or each.attribution.command


@given(acts, times)
def test_fewer_logs_never_raise_a_grade(made: list[Act], at: int) -> None:
    order = [Grade.NONE, Grade.GUESSED, Grade.CONSISTENT, Grade.RECORDED]
    mutations = fold([changed("/etc/motd", at)])
    grades = [
        order.index(attribute(mutations, Evidence(witness=Witness(tuple(some))))[0].attribution.grade)
        for some in (made, made[1:])
    ]
    assert grades[1] <= grades[0]


def account_act(tool: str, name: str, at: int, actor: str = "") -> Act:
    return Act(at=at, deed=Deed.ACCOUNT, actor=actor, command=tool, names=frozenset({name}), line=f"{tool}: {name}")


def test_a_password_of_root_is_named_by_the_tool_that_set_it() -> None:
    """Words of other commands name root for other reasons; an account tool means the account."""
    item = modified("password", "root", digest=(A, B))
    witness = Witness((act("/usr/sbin/chpasswd", NOON), account_act("chpasswd", "root", NOON + SECOND)))
    found = given_to(item, witness=witness)
    assert (found.grade, found.actor, found.command) == (Grade.CONSISTENT, "alice", "/usr/sbin/chpasswd")
    assert given_to(item, witness=Witness((act("/usr/bin/chown root /srv"),))).grade is Grade.NONE


@pytest.mark.parametrize(
    ("command", "later", "actor"),
    [
        ("/usr/bin/crontab -u bob -", 1, "alice"),
        ("/usr/bin/crontab -u bob -e", 900, "alice"),  # an editor was open
        ("/usr/bin/crontab -u bob -", 900, "root"),
        ("/usr/bin/crontab -l -u bob", 1, "root"),
        ("/usr/bin/crontab -u bob -e", 7200, "root"),
        ("/usr/bin/vim /etc/crontab", 1, "root"),
    ],
)
def test_who_ran_crontab_by_sudo_is_the_actor(command: str, later: int, actor: str) -> None:
    """crontab itself logs the account that it ran as."""
    table = "/var/spool/cron/crontabs/bob"
    at = NOON + later * SECOND
    witness = Witness((act(command), act(f"crontab {table}", at, "root", names=frozenset({table}))))
    found = given_to(changed(table, at), witness=witness)
    assert (found.grade, found.actor) == (Grade.RECORDED, actor)


@pytest.mark.parametrize(
    ("kind", "key", "path"),
    [("host_entry", "192.0.2.66", "/etc/hosts"), ("dns", "nameserver:192.0.2.53", "/etc/resolv.conf")],
)
def test_a_fact_is_named_by_the_file_that_sets_it(kind: str, key: str, path: str) -> None:
    """A zone may have accepted the file itself, of which the fact is then all that is left."""
    item = added(thing(kind, key))
    found = given_to(item, witness=Witness((act(f"/usr/bin/tee -a {path}"),)))
    assert (found.grade, found.actor) == (Grade.CONSISTENT, "alice")
    assert given_to(item, witness=Witness((act("/usr/bin/tee -a /etc/motd"),))).grade is Grade.NONE
    two = (act(f"/usr/bin/tee -a {path}"), act(f"/usr/bin/vim {path}", NOON + SECOND, "bob"))
    assert given_to(item, witness=Witness(two)).grade is Grade.NONE  # either may have done it


CHAIN, ROUTE = added(thing("firewall_chain", "ip/nat/PREROUTING")), added(thing("route", "ipv4/0.0.0.0/0/eth0/50"))
TOOR = added(thing("user", "toor", uid=0))
HALF = modified("package", "tar/all", status=("installed", "half"))


@pytest.mark.parametrize(
    ("item", "command", "grade"),
    [
        (CHAIN, "/usr/bin/sh -c 'nft add table ip nat; nft -f x'", "consistent"),
        (CHAIN, "/usr/sbin/nft list ruleset", "none"),
        (ROUTE, "/usr/sbin/ip route add default dev eth0 metric 50", "consistent"),
        (ROUTE, "/usr/sbin/ip route show", "none"),
        (modified("interface", "eth0", mtu=(1500, 1400)), "/usr/sbin/ip link set eth0 mtu 1400", "consistent"),
        (modified("sysctl", "vm.swappiness", current_value=("1", "2")), "/usr/sbin/sysctl --system", "consistent"),
        (TOOR, "/usr/bin/sh -c 'echo toor:x:0:0::/root:/bin/sh >> /etc/passwd'", "consistent"),
        (TOOR, "/usr/bin/vim /etc/passwd", "consistent"),
        (HALF, "/usr/bin/sed -i s/a/b/ /var/lib/dpkg/status", "consistent"),
        (HALF, "/usr/bin/less /etc/motd", "none"),
    ],
)
def test_what_no_file_tells_is_told_by_what_sets_it(item: Difference, command: str, grade: str) -> None:
    assert given_to(item, witness=Witness((act(command),))).grade == grade


def test_a_program_that_writes_one_file_need_not_name_it() -> None:
    witness = Witness((act("/usr/bin/hostnamectl set-hostname evil"),))
    assert given_to(changed("/etc/hostname", NOON), witness=witness).grade is Grade.RECORDED
    assert given_to(changed("/etc/motd", NOON), witness=witness).grade is Grade.NONE


def test_an_address_is_named_for_other_reasons_than_its_row_in_hosts() -> None:
    item = modified("host_entry", "127.0.0.1", hostnames=(("localhost",), ("localhost", "x")))
    writes, serves = act("/usr/bin/tee -a /etc/hosts"), act("/usr/bin/app --listen 127.0.0.1", NOON + SECOND)
    assert given_to(item, witness=Witness((writes, serves))).command == writes.command


def test_an_account_tool_in_a_script_has_who_ran_the_script() -> None:
    by = act("/usr/bin/sh -c 'useradd -o -u 0 sysd'")
    found = given_to(
        added(thing("user", "sysd", uid=0)), witness=Witness((by, account_act("useradd", "sysd", NOON + SECOND)))
    )
    assert (found.actor, found.command) == ("alice", by.command)


def test_of_an_account_the_act_that_names_it_not_the_last_on_a_file_of_all() -> None:
    held = replace(changed("/etc/subuid", NOON + 5 * SECOND), allowed=True, zone=ZoneClass.DERIVED)
    by, later = act("/usr/sbin/useradd eve"), act("/usr/bin/vim /etc/subuid", NOON + 4 * SECOND)
    found = given_to(added(thing("user", "eve", uid=1001)), held, witness=Witness((by, later)))
    assert found.command == by.command


def test_what_runs_has_the_time_at_which_it_began() -> None:
    item = replace(added(thing("process", "/memfd:x", reasons=("memory",))), observed={"began": NOON})
    assert given_to(item, witness=Witness((), (login(),))).grade is Grade.GUESSED
    gone = replace(added(thing("process", "/usr/sbin/x", reasons=("deleted",), deleted=True)), observed={"began": NOON})
    assert given_to(gone, witness=Witness((), (login(),))).grade is Grade.NONE


def listening(
    *, port: int = 8088, program: str = "/usr/bin/python3.11", unit: str = "", began: int = NOON
) -> Difference:
    item = added(thing("listen", f"tcp/0.0.0.0:{port}", process=program, unit=unit, port=port, protocol="tcp"))
    return replace(item, observed={"pids": (7,), "began": began} if began else {"pids": (7,)})


@pytest.mark.parametrize(
    ("command", "grade"),
    [
        ("/usr/bin/setsid --fork python3 -m http.server 8088", Grade.RECORDED),
        ("/usr/bin/sh -c 'nohup python3.11 app.py --port=8088 &'", Grade.RECORDED),
        ("/usr/bin/python3 app.py --listen 0.0.0.0:8088", Grade.RECORDED),
        ("/usr/bin/systemctl start web", Grade.RECORDED),
        ("/usr/bin/python3 app.py", Grade.CONSISTENT),
        ("/opt/run.sh 8088", Grade.CONSISTENT),
        ("/usr/bin/python3 app.py 18088", Grade.CONSISTENT),
        ("/usr/bin/perl app.pl 80880", Grade.NONE),
    ],
)
def test_who_opened_a_port(command: str, grade: Grade) -> None:
    acts = (act(command, NOON - SECOND), act("/usr/bin/ls /srv"))
    found = given_to(listening(unit="web.service"), witness=Witness(acts))
    assert (found.grade, found.command) == (grade, command if grade is not Grade.NONE else None)


def test_a_port_opened_at_another_time_or_at_no_known_time() -> None:
    command = "/usr/bin/python3 -m http.server 8088"
    for at in (NOON - 600 * SECOND, NOON + 60 * SECOND):
        assert given_to(listening(), witness=Witness((act(command, at),))).grade is Grade.NONE
    unknown = Witness((act(command, NOON - 600 * SECOND), act("/usr/bin/python3 other.py")))
    found = given_to(listening(began=0), witness=unknown)
    assert (found.grade, found.command) == (Grade.CONSISTENT, command)


def test_a_port_opened_in_a_root_shell_or_while_somebody_was_there() -> None:
    shell = Act(at=NOON - 600 * SECOND, deed=Deed.SHELL, actor="alice", command="/bin/bash", line="log")
    assert given_to(listening(), witness=Witness((shell,))).grade is Grade.CONSISTENT
    assert given_to(listening(), witness=Witness((), (login(),))).grade is Grade.GUESSED


def test_two_acts_on_two_files_of_one_subject_are_two_mutations() -> None:
    acts = (
        act("/usr/bin/tee -a /etc/hosts", NOON),
        act("/usr/bin/tee -a /etc/resolv.conf", NOON + 5 * SECOND, "bob"),
        act("/usr/bin/tee /etc/sysctl.d/a.conf", NOON + 10 * SECOND),
        act("/usr/bin/tee /etc/sysctl.d/b.conf", NOON + 15 * SECOND, "bob"),
    )
    items = [
        added(thing("host_entry", "192.0.2.1", hostnames=("x",))),
        added(thing("dns", "nameserver:192.0.2.53")),
        modified("sysctl", "net.a", config_file=(None, "/etc/sysctl.d/a.conf"), current_value=("0", "1")),
        modified("sysctl", "net.b", config_file=(None, "/etc/sysctl.d/b.conf")),
        replace(added(file("/etc/sysctl.d/a.conf")), observed={"ctime": NOON + 10 * SECOND}),
        replace(added(file("/etc/sysctl.d/b.conf")), observed={"ctime": NOON + 15 * SECOND}),
    ]
    evidence = Evidence(witness=Witness(acts))
    found = attribute(fold(items, evidence), evidence)
    assert len({mutation.id for mutation in found}) == len(found) == 4
    assert sum(mutation.explains for mutation in found) == len(items)
    told = {mutation.title: mutation.attribution.command for mutation in found}
    assert [command for title, command in sorted(told.items())] == [
        "/usr/bin/tee /etc/sysctl.d/a.conf",
        "/usr/bin/tee /etc/sysctl.d/b.conf",
        "/usr/bin/tee -a /etc/hosts",
        "/usr/bin/tee -a /etc/resolv.conf",
    ]


BECOME = (
    "/bin/sh -c 'echo BECOME-SUCCESS-unx ; /usr/bin/python3 /home/alice/.ansible/tmp/ansible-tmp-1/AnsiballZ_{}.py'"
)


@pytest.mark.parametrize("command", [BECOME.format("copy"), "/usr/bin/puppet agent --test"])
def test_a_program_that_brings_a_host_into_its_state_names_nothing(command: str) -> None:
    [found] = attribute(fold([changed("/etc/motd", NOON)]), Evidence(witness=Witness((act(command),))))
    assert (found.attribution.grade, found.attribution.actor) == (Grade.CONSISTENT, "alice")
    [later] = attribute(fold([changed("/etc/motd", NOON + 3600 * SECOND)]), Evidence(witness=Witness((act(command),))))
    assert later.attribution.grade is Grade.NONE


def test_an_account_that_ansible_made() -> None:
    made = Act(
        at=NOON + SECOND, deed=Deed.ACCOUNT, actor="", command="useradd", names=frozenset({"eve"}), line="new user"
    )
    mutations = fold([added(thing("user", "eve", uid=1001, shell="/bin/sh"))])
    [found] = attribute(mutations, Evidence(witness=Witness((act(BECOME.format("user")), made))))
    assert found.attribution.actor == "alice"


def test_a_word_of_another_program_is_no_tool() -> None:
    acts = (act("/usr/sbin/ip route add 192.0.2.0/24 dev eth0"), act("/usr/sbin/nft add table ip nat", actor="bob"))
    route = fold([added(thing("route", "ipv4/192.0.2.0/24/eth0/0"))])
    [found] = attribute(route, Evidence(witness=Witness(acts)))
    assert (found.attribution.actor, found.attribution.command) == ("alice", acts[0].command)


def test_a_password_is_the_act_of_a_tool_of_accounts() -> None:
    acts = (
        act("/usr/bin/sh -c 'echo deploy:<redacted> | chpasswd'"),
        act("/usr/bin/chown -R deploy /srv", actor="bob"),
    )
    changed_password = modified("password", "deploy", password_status=("disabled", "set"))
    [found] = attribute(fold([changed_password]), Evidence(witness=Witness(acts)))
    assert found.attribution.actor == "alice"
