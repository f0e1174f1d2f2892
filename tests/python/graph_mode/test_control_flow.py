"""Branches and loops, and their gradients beside TensorFlow's."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_cond_runs_one_side(session):
    flag = tf.placeholder(tf.bool, [])
    x = tf.constant(3.0)
    seen = []
    y = tf.cond(
        flag,
        lambda: tf.py_func(lambda v: seen.append("yes") or np.float32(v), [x], tf.float32),
        lambda: tf.py_func(lambda v: seen.append("no") or np.float32(-v), [x], tf.float32),
    )
    assert session.run(y, {flag: True}) == 3 and session.run(y, {flag: False}) == -3
    assert seen == ["yes", "no"]


def test_cond_gives_structures(session):
    flag = tf.placeholder(tf.bool, [])
    x = tf.placeholder(tf.float32, [None])
    a, b = tf.cond(flag, lambda: (x + 1, x), lambda: (x - 1, tf.zeros_like(x)))
    one = tf.cond(flag, lambda: {"y": x}, lambda: {"y": -x})
    metadata = tf.RunMetadata()
    got = session.run([a, b, one["y"]], {flag: False, x: [1, 2]}, run_metadata=metadata)
    assert [v.tolist() for v in got] == [[0, 1], [0, 0], [-1, -2]] and metadata.captured
    assert "cond" in str(metadata.graph)
    (gradient,) = tf.gradients(tf.cond(flag, lambda: x * x, lambda: 5 * x), x)
    assert session.run(gradient, {flag: True, x: [1, 2]}).tolist() == [2, 4]
    assert session.run(gradient, {flag: False, x: [1, 2]}).tolist() == [5, 5]


def test_what_cond_refuses():
    flag = tf.placeholder(tf.bool, [])
    x = tf.constant(1.0)
    with pytest.raises(px.errors.ValueError, match="true_fn gives 2 tensors and false_fn 1"):
        tf.cond(flag, lambda: (x, x), lambda: x)
    with pytest.raises(px.DTypeError, match="float32 where false_fn gives int32"):
        tf.cond(flag, lambda: x, lambda: tf.constant(1))
    with pytest.raises(px.errors.TypeError, match="must be functions"):
        tf.cond(flag, x, x)
    with pytest.raises(px.errors.TypeError, match="must be a tensor"):
        tf.cond(True, lambda: x, lambda: x)


def test_case(session):
    x = tf.placeholder(tf.float32, [])
    y = tf.case([(x < 0, lambda: -x), (x > 10, lambda: x * 10)], default=lambda: x)
    assert [session.run(y, {x: v}) for v in (-3, 5, 20)] == [3, 5, 200]
    strict = tf.case({x < 5: lambda: tf.constant(1), x > 0: lambda: tf.constant(2)}, exclusive=True)
    assert session.run(strict, {x: -1}) == 1
    with pytest.raises(px.errors.AssertionError, match="more than one condition"):
        session.run(strict, {x: 3})
    with pytest.raises(px.errors.AssertionError, match="no condition"):
        session.run(tf.case([(x > 0, lambda: x)]), {x: -1})


def test_group_tuple_and_no_op(session):
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    both = tf.group(a.initializer, [b.initializer, tf.no_op(name="nothing")], name="both")
    assert both.name == "both" and session.run(both) is None
    assert session.run([a, b]) == [1, 2]
    grown = a.assign_add(1.0)
    x, y = tf.tuple([tf.constant(5.0), tf.identity(b)], control_inputs=[grown])
    assert session.run(x) == 5 and session.run(a) == 2
    assert session.run(tf.with_dependencies([grown], y)) == 2 and session.run(a) == 3
    with pytest.raises(px.errors.TypeError, match="takes operations and tensors"):
        tf.group(3)


def test_while_loop_until_data_says_so(session):
    """A loop whose end depends on data is a loop of the captured program."""
    n = tf.placeholder(tf.int64, [])
    steps, _ = tf.while_loop(
        lambda i, m: tf.not_equal(m, 1),
        lambda i, m: (i + 1, tf.cond(tf.equal(m % 2, 0), lambda: m // 2, lambda: 3 * m + 1)),
        [0, n],
    )
    metadata = tf.RunMetadata()
    got = [session.run(steps, {n: v}, run_metadata=metadata) for v in (1, 6, 27)]
    assert got == [0, 8, 111] and metadata.captured and "while_loop" in str(metadata.graph)
    with px.disable_jit():
        assert session.run(steps, {n: 27}) == 111


def test_while_loop_forms(session):
    i, (a, d) = tf.while_loop(
        lambda i, s: i < 3,
        lambda i, s: (i + 1, (s[0] * 2, {"k": s[1]["k"] + 1})),
        (0, (tf.constant(1.0), {"k": 10})),
    )
    assert session.run([i, a, d["k"]]) == [3, 8, 13]
    assert session.run(tf.while_loop(lambda x: x < 100, lambda x: x * 3, [2])) == 162
    assert session.run(tf.while_loop(lambda x: x < 100, lambda x: x * 3, [2], maximum_iterations=2)) == 18
    x = tf.placeholder(tf.float32, [None])
    grown = tf.while_loop(
        lambda v: tf.size(v) < 10,
        lambda v: tf.concat([v, v], 0),
        [x],
        shape_invariants=[tf.TensorShape([None])],
    )
    assert session.run(grown, {x: [1, 2, 3]}).shape == (12,)
    counted = tf.while_loop(lambda i: i < 1000, lambda i: i + 1, [0])  # too far to be written out
    metadata = tf.RunMetadata()
    assert session.run(counted, run_metadata=metadata) == 1000 and "while_loop" in str(metadata.graph)


def test_what_while_loop_refuses(session):
    x = tf.constant([1.0])
    with pytest.raises(px.ShapeError, match="shape_invariants"):
        tf.while_loop(lambda v: True, lambda v: tf.concat([v, v], 0), [x])
    with pytest.raises(px.errors.ValueError, match="2 tensors for 1 loop variables"):
        tf.while_loop(lambda v: v < 1, lambda v: (v, v), [x])
    with pytest.raises(px.errors.TypeError, match="float32 is needed|int32, float32"):
        tf.while_loop(lambda v: v < 1, lambda v: tf.constant([1]), [x])
    with pytest.raises(px.errors.ValueError, match="no loop variables"):
        tf.while_loop(lambda: True, lambda: (), [])
    inner = []
    loop = tf.while_loop(lambda v: v[0] < 2, lambda v: inner.append(v + 1) or inner[0], [x])
    assert session.run(loop) == 2
    with pytest.raises(px.GraphError, match="a body of a loop or branch"):
        session.run(inner[0])


# What TensorFlow 2.21.0 (compat.v1, float64) gives for the loop below with n = 5: loss, and gradients by x and w.
TENSORFLOW_LOSS = 3.5498959268976273
TENSORFLOW_BY_X = [[0.24649236, -0.205909], [0.05212315, 0.56229756]]
TENSORFLOW_BY_W = [[0.28153287, 0.33819582], [-0.18998844, 0.63223747]]


@pytest.mark.parametrize("count", ["known", "fed"])
def test_gradients_of_loops_are_tensorflows(session, count):
    x = tf.placeholder(tf.float64, [2, 2])
    w = tf.constant(np.array([[0.9, 0.2], [-0.4, 1.1]]))
    n = tf.constant(5) if count == "known" else tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(
        lambda i, h: i < n,
        lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w) + x)),
        [0, tf.zeros([2, 2], tf.float64)],
    )
    loss = tf.reduce_sum(y * y)
    feed = {x: [[0.5, -1.0], [2.0, 0.25]], **({} if count == "known" else {n: 5})}
    metadata = tf.RunMetadata()
    value, by_x, by_w = session.run([loss, *tf.gradients(loss, [x, w])], feed, run_metadata=metadata)
    assert metadata.captured and ("while_loop" in str(metadata.graph)) is (count == "fed")
    assert abs(value - TENSORFLOW_LOSS) < 1e-12
    np.testing.assert_allclose(by_x, TENSORFLOW_BY_X, rtol=0, atol=1e-7)
    np.testing.assert_allclose(by_w, TENSORFLOW_BY_W, rtol=0, atol=1e-7)
    (second,) = tf.gradients(tf.reduce_sum(tf.gradients(loss, x)[0]), x)
    step = 1e-5
    first = tf.reduce_sum(tf.gradients(loss, x)[0])
    plus, minus = (
        session.run(first, {**feed, x: np.array([[0.5 + d, -1.0], [2.0, 0.25]])}) for d in (step, -step)
    )
    assert abs(session.run(second, feed)[0, 0] - (plus - minus) / (2 * step)) < 1e-6


def test_functions_of_elements(session):
    x = tf.placeholder(tf.float32, [None, 2])
    a = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    mapped = tf.map_fn(lambda row: row * row, x)
    pair = tf.map_fn(
        lambda e: (e[0] + e[1], tf.cast(e[0][0], tf.int32)), (x, x), dtype=(tf.float32, tf.int32)
    )
    summed = tf.foldl(lambda s, row: s + row, x)
    started = tf.foldl(lambda s, row: s * 2 + row[0], x, initializer=100.0)
    backwards = tf.foldr(lambda s, row: s * 2 + row[0], x, initializer=100.0)
    running = tf.scan(lambda s, row: s + row, x)
    started_scan = tf.scan(lambda s, row: s + row[1], x, initializer=10.0)
    reversed_scan = tf.scan(lambda s, row: s + row, x, reverse=True)
    tensors = [mapped, *pair, summed, started, backwards, running, started_scan, reversed_scan]
    metadata = tf.RunMetadata()
    got = session.run(tensors, {x: a}, run_metadata=metadata)
    assert metadata.captured
    np.testing.assert_array_equal(got[0], a * a)
    np.testing.assert_array_equal(got[1], a + a)
    assert got[2].tolist() == [1, 3, 5] and got[3].tolist() == [9, 12]
    assert got[4] == ((100 * 2 + 1) * 2 + 3) * 2 + 5 and got[5] == ((100 * 2 + 5) * 2 + 3) * 2 + 1
    np.testing.assert_array_equal(got[6], a.cumsum(0))
    assert got[7].tolist() == [12, 16, 22]
    np.testing.assert_array_equal(got[8], a[::-1].cumsum(0)[::-1])
    assert mapped.shape.as_list() == [None, 2] and session.run(mapped, {x: a[:0]}).shape == (0, 2)
    assert session.run(tf.gradients(running, x)[0], {x: a}).tolist() == [[3, 3], [2, 2], [1, 1]]
    with pytest.raises(px.errors.ValueError, match="gives 2 tensors, and dtype names 1"):
        tf.map_fn(lambda row: (row, row), x)


def test_tensor_arrays(session):
    squares = tf.TensorArray(tf.float32, size=3)
    for i in range(3):
        squares = squares.write(i, float(i * i))
    assert session.run([squares.stack(), squares.read(2), squares.size()])[0].tolist() == [0, 1, 4]
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    rows = tf.TensorArray(tf.float32, size=2).unstack(x)
    assert session.run(rows.read(1)).tolist() == [3, 4]
    assert session.run(rows.concat()).tolist() == [1, 2, 3, 4]
    assert session.run(rows.gather([1, 0, 1])).shape == (3, 2)
    parts = tf.TensorArray(tf.float32, size=2, infer_shape=False).split(x[:, 0], [1, 1])
    assert session.run(parts.concat()).tolist() == [1, 3]
    placed = tf.TensorArray(tf.float32, size=2).scatter([1, 0], x)
    assert session.run(placed.stack()).tolist() == [[3, 4], [1, 2]]
    grown = tf.TensorArray(tf.int32, size=0, dynamic_size=True).write(4, 7)
    assert session.run(grown.stack()).tolist() == [0, 0, 0, 0, 7]
    assert session.run(tf.gradients(rows.read(0), x)[0]).tolist() == [[1, 1], [0, 0]]
    with pytest.raises(px.errors.IndexError, match="place 3 of 3"):
        session.run(squares.write(3, 1.0).stack())
    with pytest.raises(px.ShapeError, match="infer_shape=False"):
        squares.write(0, [1.0, 2.0])
    with pytest.raises(px.errors.TypeError, match="int32"):
        squares.write(0, tf.constant(1))
    with pytest.raises(px.StateError, match="nothing has been written"):
        session.run(tf.TensorArray(tf.float32, size=2).read(0))


def test_arrays_in_captured_loops(session):
    """Where the number of turns is data, an array is one tensor of the loop."""
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])
    _, array = tf.while_loop(
        lambda i, a: i < n,
        lambda i, a: (i + 1, a.write(i, x * tf.cast(i, tf.float32))),
        [0, tf.TensorArray(tf.float32, 4)],
    )
    metadata = tf.RunMetadata()
    got = session.run(array.stack(), {n: 3, x: [1, 2]}, run_metadata=metadata)
    assert metadata.captured and "while_loop" in str(metadata.graph)
    assert got.tolist() == [[0, 0], [1, 2], [2, 4], [0, 0]]


def test_assertions(session):
    x = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.Assert(x > 0, ["x must be positive"])]):
        y = tf.sqrt(x)
    assert session.run(y, {x: 4}) == 2
    with pytest.raises(px.errors.AssertionError, match="x must be positive"):
        session.run(y, {x: -1})
    with pytest.raises(px.errors.AssertionError, match="not finite"):
        session.run(tf.check_numerics(tf.log(x), "not finite"), {x: 0})


def test_dependencies_of_bodies_on_what_is_around(session):
    v = tf.Variable(1.0)
    session.run(v.initializer)
    change = v.assign(5.0)

    def yes():
        with tf.control_dependencies([change]):
            return tf.identity(v)

    flag = tf.placeholder(tf.bool, [])
    assert session.run(tf.cond(flag, yes, lambda: tf.constant(0.0)), {flag: True}) == 5
