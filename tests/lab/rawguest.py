# SPDX-License-Identifier: Apache-2.0
"""A QEMU that a test starts by hand in a node, without an agent: to test the test guest and the checker."""

from __future__ import annotations

import signal

from labkit import Node, Qmp, guest_cmdline
from labproc import end_process

QEMU = "qemu-system-x86_64"
RUN = "/run/domus/guests"


class RawGuest:
    """One QEMU process in a node. Without a kernel it is an empty machine, which can run and stop all the same."""

    def __init__(self, node: Node, uuid: str, *arguments: str, paused: bool = True) -> None:
        self.node = node
        node.exec("mkdir", "-p", RUN)
        self.pid = node.start(f"{uuid[:8]}.qemu.out", QEMU, "-uuid", uuid, "-machine", "q35", "-accel",
                              "tcg,thread=multi,tb-size=64", "-cpu", "qemu64", "-nodefaults", "-no-user-config",
                              "-display", "none", "-no-shutdown", *(["-S"] if paused else []),
                              *self.socket(uuid, "agent"), *self.socket(uuid, "guard"), *arguments)
        self.qmp = Qmp(f"/proc/{self.pid}/root{RUN}/{uuid}.agent.qmp")

    @staticmethod
    def socket(uuid: str, name: str) -> tuple[str, ...]:
        """A QMP socket as the driver makes it."""
        return ("-chardev", f"socket,id={name},path={RUN}/{uuid}.{name}.qmp,server=on,wait=off",
                "-mon", f"chardev={name},mode=control")

    def kill(self) -> None:
        """Ends the process at once."""
        end_process(self.pid, signal.SIGKILL, 10)


def web_guest(node: Node, uuid: str, name: str, number: int, disk: str) -> RawGuest:
    """The test guest on a tap of the node's bridge, with a raw file as its disk."""
    tap = f"tap{number}"
    if node.exec("ip", "link", "show", tap, check=False).returncode != 0:
        node.exec("ip", "tuntap", "add", tap, "mode", "tap")
    node.exec("ip", "link", "set", tap, "master", "br0", "up")
    guest = node.lab.build / "guest"
    return RawGuest(node, uuid, "-m", "128", "-kernel", str(guest / "vmlinux"), "-initrd", str(guest / "initrd.img"),
                    "-append", guest_cmdline(name, number), "-serial", f"file:{node.folder}/{name}.console.log",
                    "-drive", f"if=none,id=d,file={disk},format=raw,cache=none",
                    "-device", "virtio-blk-pci,drive=d",
                    "-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no",
                    "-device", f"virtio-net-pci,netdev=n,romfile=,mac=52:54:00:0d:00:{number:02x}",
                    "-device", "pvpanic", "-action", "panic=pause", paused=False)
