"""Event files of TensorBoard: records with checksums of protocol buffers, written here by hand.

Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli. Source: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """One record of a file: length, its checksum, data, its checksum."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


# --- fields of protocol buffers


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def integer(field: int, value: int) -> bytes:
    """A field that is an integer."""
    return _varint(field << 3) + _varint(value)


def double(field: int, value: float) -> bytes:
    """A field of 64 bits."""
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """A field of 32 bits."""
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def block(field: int, data: bytes | str) -> bytes:
    """A field that is a text, bytes or a message."""
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def doubles(field: int, values: Iterable[float]) -> bytes:
    """A field that is a list of 64-bit numbers."""
    return block(field, b"".join(struct.pack("<d", v) for v in values))


# --- messages


def event(wall_time: float, step: int | None, content: bytes) -> bytes:
    """An Event: when, at which step, and what (`block(3, version)`, `block(4, graph)` or `block(5, summary)`)."""
    return double(1, wall_time) + (integer(2, step) if step is not None else b"") + content


def scalar_value(tag: str, value: float) -> bytes:
    """A Summary with one number."""
    return block(1, block(1, tag) + single(2, value))


def text_value(tag: str, texts: Sequence[bytes]) -> bytes:
    """A Summary with texts, for the plug-in of that name."""
    shape = block(2, integer(1, len(texts)))
    tensor = integer(1, 7) + block(2, shape) + b"".join(block(8, text) for text in texts)
    return block(1, block(1, tag) + block(8, tensor) + block(9, block(1, block(1, "text"))))


def _limits() -> Any:
    """Upper limits of the bins of histograms: ten per cent apart, the same for all, so that they can be compared."""
    positive = []
    value = 1e-12
    while value < 1e20:
        positive.append(value)
        value *= 1.1
    largest = float(np.finfo(np.float64).max)
    return np.array([-largest, *(-v for v in reversed(positive)), 0.0, *positive, largest])


_LIMITS = _limits()


def histogram_value(tag: str, values: Any) -> bytes:
    """A Summary with a histogram of the values, which must be finite."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    counts = np.bincount(np.searchsorted(_LIMITS, flat, side="right"), minlength=len(_LIMITS))[: len(_LIMITS)]
    filled = np.flatnonzero(counts)
    first, last = (max(filled[0] - 1, 0), filled[-1]) if len(filled) else (0, 0)
    numbers = (
        (flat.min(), flat.max(), len(flat), flat.sum(), (flat * flat).sum()) if len(flat) else (0.0,) * 5
    )
    histogram = b"".join(double(i, float(v)) for i, v in enumerate(numbers, 1))
    histogram += doubles(6, _LIMITS[first : last + 1]) + doubles(7, counts[first : last + 1])
    return block(1, block(1, tag) + block(5, histogram))


def graph_value(graph_def: Any) -> bytes:
    """A GraphDef as TensorBoard draws it: names, types, inputs and devices."""
    nodes = b""
    for node in graph_def.node:
        inputs = b"".join(block(3, name.removesuffix(":0")) for name in node.input)
        device = block(4, node.device) if node.device else b""
        nodes += block(1, block(1, node.name) + block(2, node.op) + inputs + device)
    return nodes
