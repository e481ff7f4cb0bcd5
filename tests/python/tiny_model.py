# SPDX-License-Identifier: Apache-2.0
"""An ONNX file in a few lines: y = x * w, with w a constant."""
import struct

FLOAT = 1


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def port(name, dims):
    """ValueInfoProto: a fixed dimension is a number, a free one a name."""
    shape = b"".join(part(1, part(2, dim) if isinstance(dim, str) else number(1, dim))
                     for dim in dims)
    return part(1, name) + part(2, part(1, number(1, FLOAT) + part(2, shape)))


def tiny_model(columns=2, weights=(1, 0, 0, 1, 1, 1, -1, 2)):
    """The bytes of the file."""
    rows = len(weights) // columns
    packed = struct.pack(f"<{len(weights)}f", *weights)
    constant = (number(1, rows) + number(1, columns) + number(2, FLOAT) + part(8, "w") +
                part(9, packed))
    node = part(1, "x") + part(1, "w") + part(2, "y") + part(3, "product") + part(4, "MatMul")
    graph = (part(1, node) + part(2, "tiny") + part(5, constant) +
             part(11, port("x", ["n", rows])) + part(12, port("y", ["n", columns])))
    return number(1, 8) + part(7, graph) + part(8, number(2, 17))
