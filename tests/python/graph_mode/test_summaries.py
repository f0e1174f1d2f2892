"""Summaries and the event files that hold them, read back here byte by byte."""

# shard: graph
import struct

import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def crc32c(data):
    """Bit by bit, as the polynomial says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        head, body = data[place : place + 8], data[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", data, place + 8)[0] == masked(head)
        assert struct.unpack_from("<I", data, place + 12 + length)[0] == masked(body)
        yield fields(body)
        place += 16 + length


def varint(data, place):
    value, shift = 0, 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def fields(data):
    """The fields of a protocol buffer: numbers, and bytes for what has a length."""
    found, place = {}, 0
    while place < len(data):
        key, place = varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(data, place)
        elif kind == 1:
            value, place = struct.unpack_from("<d", data, place)[0], place + 8
        elif kind == 5:
            value, place = struct.unpack_from("<f", data, place)[0], place + 4
        else:
            length, place = varint(data, place)
            value, place = data[place : place + length], place + length
        found.setdefault(key >> 3, []).append(value)
    return found


def test_event_files(tmp_path, session):
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the polynomial
    x = tf.placeholder(tf.float32, [None], name="x")
    with tf.name_scope("loss"):
        tf.summary.scalar("mean value", tf.reduce_mean(x))
    tf.summary.histogram("values", x)
    tf.summary.text("note", tf.constant("hello"))
    merged = tf.summary.merge_all()
    writer = tf.summary.FileWriter(str(tmp_path), session.graph)
    for step in range(2):
        summary, mean = session.run([merged, tf.reduce_mean(x)], {x: [1, 2, 3 + step]})
        writer.add_summary(summary, step)
    writer.add_summary(
        tf.Summary(value=[tf.Summary.Value(tag="own", simple_value=0.5)]), tf.constant(7).shape.ndims
    )
    writer.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    version, graph, first, second, own = records(path)
    assert version[3] == [b"brain.Event:2"] and 2 not in version
    nodes = [fields(n) for n in fields(graph[4][0])[1]]
    assert nodes[0][1] == [b"x"] and nodes[0][2] == [b"Placeholder"]
    merge = next(n for n in nodes if n[2] == [b"MergeSummary"])
    assert merge[3] == [b"loss/mean_value", b"values", b"note"]
    values = [fields(v) for v in fields(first[5][0])[1]]
    assert [v[1][0] for v in values] == [b"loss/mean_value", b"values", b"note"]
    assert values[0][2] == [2.0] and first[2] == [0] and second[2] == [1]
    histogram = fields(values[1][5][0])
    assert [histogram[i][0] for i in range(1, 6)] == [1, 3, 3, 6, 14]
    limits, counts = (struct.unpack(f"<{len(histogram[i][0]) // 8}d", histogram[i][0]) for i in (6, 7))
    assert sum(counts) == 3 and len(limits) == len(counts) and limits[-1] >= 3 and limits[0] <= 1.1
    assert np.all(np.diff(limits) > 0)
    assert fields(values[2][8][0])[8] == [b"hello"]
    assert fields(fields(own[5][0])[1][0]) == {1: [b"own"], 2: [0.5]} and own[2] == [0]


def test_writers(tmp_path, session):
    with tf.summary.FileWriter(str(tmp_path / "a")) as writer:
        assert writer.get_logdir() == str(tmp_path / "a")
        writer.add_scalar("s", 1.0, 2)
        writer.flush()
    with pytest.raises(px.StateError, match="closed"):
        writer.add_scalar("s", 1.0, 2)
    writer.reopen()
    writer.add_scalar("s", 2.0, 3)
    writer.close()
    assert len(list((tmp_path / "a").glob("*"))) == 2
    with pytest.raises(px.errors.TypeError, match="in a run"):
        tf.summary.FileWriter(str(tmp_path)).add_summary(tf.summary.scalar("x", 1.0))


def test_summaries(session):
    assert tf.summary.merge_all() is None
    a = tf.summary.scalar("loss", 1.0, family="train")
    b = tf.summary.scalar("other", 2.0, collections=["mine"])
    assert a.dtype is tf.string and a.op.name == "train/loss"
    both = tf.summary.merge([a, b], collections=["merged"])
    assert tf.get_collection("merged") == [both]
    values = [fields(v) for v in fields(session.run(both))[1]]
    assert [v[1] for v in values] == [[b"train/train/loss"], [b"other"]]
    assert tf.get_collection(tf.GraphKeys.SUMMARIES) == [a] and tf.get_collection("mine") == [b]
    with pytest.raises(px.errors.ValueError, match="NaN or infinite"):
        session.run(tf.summary.histogram("h", [1.0, np.nan]))
    with pytest.raises(px.ShapeError, match="takes one number"):
        session.run(tf.summary.scalar("s", [1.0, 2.0]))
    empty = fields(fields(session.run(tf.summary.histogram("h", tf.zeros([0]))))[1][0])
    assert fields(empty[5][0])[3] == [0]


def test_summaries_leave_the_rest_captured(session):
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(tf.exp(x))
    summary = tf.summary.scalar("total", total)
    metadata = tf.RunMetadata()
    session.run([summary, total], {x: [1.0]}, run_metadata=metadata)
    assert metadata.captured
