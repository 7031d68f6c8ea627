#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the test guest's kernel and initramfs from Debian's cloud kernel, which is unpacked, never installed.

    kernel.py fetch DIR              downloads and unpacks the kernel package into DIR
    kernel.py vmlinux DIR OUT        the uncompressed kernel, which boots faster than a compressed one
    kernel.py initrd DIR INIT OUT    an initramfs with INIT, and with the drivers that it loads
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

META_PACKAGE = "linux-image-cloud-amd64"
# What the guest needs, most wanted first; what these need in turn is found in the files.
MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "button", "evdev", "pvpanic-mmio", "pvpanic-pci")
SIGNATURE = b"~Module signature appended~\n"


class FetchError(Exception):
    """Why the package could not be had, in one line."""


def run(*command: str, cwd: Path | None = None) -> str:
    """Runs a command and returns what it prints; fails with its first complaint."""
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise FetchError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or [f"status {done.returncode}"]
        raise FetchError(f"{' '.join(command)}: {said[0]}")
    return done.stdout


def download(directory: Path) -> Path:
    """Downloads the package that the cloud kernel's meta package depends on."""
    match = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", META_PACKAGE))
    if not match:
        raise FetchError(f"the package lists do not say what {META_PACKAGE} depends on")
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.deb"):
        old.unlink()
    run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", match.group(1), cwd=directory)
    (deb,) = directory.glob("*.deb")
    return deb


def fetch(directory: Path) -> None:
    """Downloads and unpacks the kernel's package; DIR/package names it.

    A fresh machine has no package lists, and old ones name files that the mirror has replaced since: they are
    renewed then, once.
    """
    try:
        try:
            deb = download(directory)
        except FetchError:
            if os.geteuid() != 0:
                raise
            run("apt-get", "-q", "update")
            deb = download(directory)
        shutil.rmtree(directory / "root", ignore_errors=True)
        run("dpkg-deb", "-x", deb.name, "root", cwd=directory)
    except FetchError as error:
        advice = "" if os.geteuid() == 0 else "; run apt-get update as root, then try again"
        sys.exit(f"the test guest's kernel cannot be fetched: {error}{advice}")
    replace(directory / "package", (deb.name + "\n").encode())


def replace(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data)
    os.replace(draft, path)


def unlz4_block(block: bytes) -> bytes:
    """One LZ4 block: runs of literals, each followed by a copy of what came before."""
    out = bytearray()
    at, end = 0, len(block)

    def more(length: int) -> int:
        nonlocal at
        while True:
            at += 1
            length += block[at - 1]
            if block[at - 1] != 255:
                return length

    while at < end:
        token = block[at]
        at += 1
        length = token >> 4
        if length == 15:
            length = more(length)
        out += block[at:at + length]
        at += length
        if at >= end:
            break
        start = len(out) - (block[at] | block[at + 1] << 8)
        at += 2
        length = token & 15
        if length == 15:
            length = more(length)
        length += 4
        chunk = out[start:start + length]
        while len(chunk) < length:      # the copy overlaps what it makes
            chunk += chunk[:length - len(chunk)]
        out += chunk
    return bytes(out)


def unlz4(data: bytes) -> bytes:
    """LZ4's legacy format, as the kernel's build uses it."""
    out, at = [], 4
    while at + 4 < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        out.append(unlz4_block(data[at + 4:at + 4 + size]))
        at += 4 + size
    return b"".join(out)


UNPACKERS = {
    b"\x02\x21\x4c\x18": unlz4,
    b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data),
    b"\xfd7zXZ\x00": lambda data: lzma.LZMADecompressor().decompress(data),
}


def uncompressed_kernel(image: bytes) -> bytes:
    """The ELF kernel inside of a bzImage; the image itself if it is packed in a way unknown here."""
    (sectors,) = struct.unpack_from("<B", image, 0x1f1)
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = image[start:start + length - 4]       # the last four bytes are the size unpacked
    for magic, unpack in UNPACKERS.items():
        if payload.startswith(magic):
            kernel = unpack(payload)
            if not kernel.startswith(b"\x7fELF"):
                sys.exit("the kernel's payload is not an ELF file")
            return kernel
    return image


def vmlinux(directory: Path, out: Path) -> None:
    """Writes the uncompressed kernel."""
    (image,) = (directory / "root/boot").glob("vmlinuz-*")
    replace(out, uncompressed_kernel(image.read_bytes()))


def module_data(path: Path) -> bytes:
    """A module without its signature: checking it costs the emulated guest time."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    if data.endswith(SIGNATURE):
        (size,) = struct.unpack_from(">I", data, len(data) - len(SIGNATURE) - 4)
        data = data[:len(data) - len(SIGNATURE) - 12 - size]
    return data


def find_modules(directory: Path) -> dict[str, bytes]:
    """The wanted modules and what they need, dependencies first. What is built in has no file."""
    files = {path.name.split(".ko")[0].replace("-", "_"): path
             for path in (directory / "root").glob("**/*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        if path is None or path.name.split(".ko")[0] + ".ko" in found:
            return
        data = module_data(path)
        needs = re.search(rb"\x00depends=([^\x00]*)\x00", data)
        for need in (needs.group(1).decode().split(",") if needs else []):
            add(need)
        found[path.name.split(".ko")[0] + ".ko"] = data

    for name in MODULES:
        add(name)
    return found


def cpio_entry(number: int, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One file in the format newc; all times are 0, so equal inputs make equal files."""
    path = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    entry = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(data) % 4)


def initrd(directory: Path, init: Path, out: Path) -> None:
    """Packs the initramfs, uncompressed since unpacking would cost the guest time."""
    modules = find_modules(directory)
    files: list[tuple] = [(name, 0o040755) for name in ("dev", "proc", "modules")]
    files.append(("dev/console", 0o020600, b"", (5, 1)))
    files.append(("init", 0o100755, init.read_bytes()))
    files += [(f"modules/{name}", 0o100644, data) for name, data in modules.items()]
    files.append(("modules/order", 0o100644, "".join(name + "\n" for name in modules).encode()))
    files.append(("TRAILER!!!", 0))
    archive = b"".join(cpio_entry(number, *file) for number, file in enumerate(files, 1))
    replace(out, archive + b"\0" * (-len(archive) % 512))


def main(arguments: list[str]) -> None:
    """The three steps, each with its number of arguments."""
    steps = {"fetch": (fetch, 1), "vmlinux": (vmlinux, 2), "initrd": (initrd, 3)}
    step, count = steps.get(arguments[0] if arguments else "", (None, 0))
    if step is None or len(arguments) != count + 1:
        sys.exit(__doc__)
    step(*(Path(argument) for argument in arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
