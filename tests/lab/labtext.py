# SPDX-License-Identifier: Apache-2.0
"""The texts that make a lab: corosync's configuration, the set-up of a node's namespaces, rules that cut cables."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Iterable

NETWORK = "10.77.0"
SWITCH_ADDRESS = f"{NETWORK}.254"
# These hold what is gone with the power: each boot of a node begins with empty ones.
VOLATILE = ("/run", "/dev/shm")


def address(number: int) -> str:
    """A node's address on the ring and in the lab's only network."""
    return f"{NETWORK}.{number}"


def section(name: str, *items: str) -> str:
    """A section of corosync.conf, one item a line."""
    body = "".join(f"    {line}\n" for item in items for line in item.splitlines())
    return f"{name} {{\n{body}}}\n"


def corosync_conf(cluster: str, nodes: int, token: int, coefficient: int) -> str:
    """corosync.conf for all nodes of a lab."""
    quorum = ["provider: corosync_votequorum"]
    if nodes == 2:
        quorum += ["two_node: 1", "wait_for_all: 0"]
    members = [section("node", f"ring0_addr: {address(number)}", f"name: n{number}", f"nodeid: {number}")
               for number in range(1, nodes + 1)]
    return "\n".join((
        section("totem", "version: 2", f"cluster_name: {cluster}", "transport: knet", f"token: {token}",
                f"token_coefficient: {coefficient}", "crypto_cipher: none", "crypto_hash: none"),
        section("quorum", *quorum),
        section("logging", "to_logfile: yes", "logfile: /var/log/corosync/corosync.log", "to_syslog: no",
                "to_stderr: no", "timestamp: hires"),
        section("nodelist", *members)))


def volatile_mount(target: str, folder: Path, keep: Path) -> str:
    """An empty tmpfs on @target; @keep stays visible if it lies below."""
    stage = shlex.quote(str(folder / "mnt"))
    lines = [f"mount -n -t tmpfs -o mode={'1777' if target != '/run' else '755'} lab {stage}"]
    if keep.is_relative_to(target):
        place = f"{stage}/{shlex.quote(str(keep.relative_to(target)))}"
        lines += [f"mkdir -p {place}", f"mount -n --bind {shlex.quote(str(keep))} {place}"]
    return "\n".join((*lines, f"mount -n --move {stage} {target}"))


def node_setup(folder: Path, shared: Path, build: Path, number: int) -> str:
    """A shell script that furnishes a node; it runs in the node's new namespaces."""
    binds = {"/etc/corosync": folder / "etc", "/var/lib": folder / "lib", "/var/log": folder / "log",
             "/srv": shared}
    lines = ["set -e", "mount -n -t sysfs lab /sys"]
    lines += [f"mount -n --bind {shlex.quote(str(source))} {target}" for target, source in binds.items()]
    lines += [volatile_mount(target, folder, build) for target in VOLATILE]
    lines.append("test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
    lines.append(f"""ip -batch - <<'EOF'
link set lo up
link add br0 type bridge
link set br0 address 02:0d:00:00:01:{number:02x} type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set uplink master br0 up
addr add {address(number)}/24 dev br0
link set br0 up
EOF""")
    return "\n".join(lines) + "\n"


def switch_setup() -> str:
    """A shell script for the lab's network, which also is the place of its clients."""
    return f"""set -e
test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip -batch - <<'EOF'
link set lo up
link add br0 type bridge
link set br0 address 02:0d:00:00:01:fe type bridge stp_state 0 forward_delay 0 mcast_snooping 0
addr add {SWITCH_ADDRESS}/24 dev br0
link set br0 up
EOF
"""


def cable(node: str, number: int, holder: int) -> str:
    """A shell script for the switch: a cable to a node, whose old one may just be vanishing."""
    return f"""ip link del {node} 2>/dev/null
set -e
ip link add {node} type veth peer name uplink address 02:0d:00:00:00:{number:02x} netns {holder}
ip link set {node} master br0 up
"""


def cut_rules(cuts: Iterable[tuple[str, str]]) -> str:
    """nftables rules for the switch. A cut is (from, to), where * is everything, the switch's own clients too."""
    def drop(source: str, target: str, *, by_source: bool = True, by_target: bool = True) -> str:
        words = [f'iifname "{source}"'] if by_source and source != "*" else []
        words += [f'oifname "{target}"'] if by_target and target != "*" else []
        return " ".join((*words, "drop"))

    cuts = sorted(cuts)
    chains = {
        "forward": [drop(source, target) for source, target in cuts],
        "input": [drop(source, target, by_target=False) for source, target in cuts if target == "*"],
        "output": [drop(source, target, by_source=False) for source, target in cuts if source == "*"],
    }
    text = "add table bridge lab\ndelete table bridge lab\ntable bridge lab {\n"
    for hook, rules in chains.items():
        body = "".join(f"    {rule}\n" for rule in rules)
        text += f"  chain {hook} {{\n    type filter hook {hook} priority 0\n{body}  }}\n"
    return text + "}\n"
