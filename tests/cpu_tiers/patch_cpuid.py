# SPDX-License-Identifier: Apache-2.0
"""A copy of a library whose every CPUID instruction became INT3, NOP: see mask_cpuid.c."""
import re
import subprocess

CPUID = b"\x0f\xa2"
TRAP = b"\xcc\x90"
# Where an address is in the file: name, type, address, offset, size, ..., flags.
SECTION = re.compile(r"\]\s+\S+\s+PROGBITS\s+([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) .*\bAX\b")


def lines(*command):
    """What the command prints, line by line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from process.stdout
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed on {command[-1]}")


def sections(path):
    """(address, offset in the file, size) of every part that holds code."""
    found = (SECTION.search(line) for line in lines("readelf", "-SW", path))
    return [tuple(int(part, 16) for part in match.groups()) for match in found if match]


def patch(source, target):
    """Writes the copy; returns how many instructions it changed."""
    code = bytearray(source.read_bytes())
    places = sections(source)
    count = 0
    # Bytes of CPUID also occur within other instructions: only a disassembly knows.
    for line in lines("objdump", "-d", "-w", "--no-show-raw-insn", source):
        if not line.rstrip().endswith("\tcpuid"):
            continue
        address = int(line.split(":")[0], 16)
        offset = next(address - start + at for start, at, size in places
                      if start <= address < start + size)
        if code[offset:offset + 2] != CPUID:
            raise RuntimeError(f"no CPUID at {address:#x} of {source}")
        code[offset:offset + 2] = TRAP
        count += 1
    target.write_bytes(code)
    return count
