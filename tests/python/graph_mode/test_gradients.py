"""Gradients of graphs."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_gradients(session):
    x = tf.placeholder(tf.float32, [None])
    w = tf.Variable([2.0, 3.0])
    session.run(w.initializer)
    y = x * w
    z = tf.exp(y)
    by_x, by_w, by_y = tf.gradients(z, [x, w, y])
    got = session.run([by_x, by_w, by_y], {x: [0.1, 0.2]})
    e = np.exp(np.array([0.2, 0.6], np.float32))
    np.testing.assert_allclose(got, [e * [2, 3], e * [0.1, 0.2], e], rtol=1e-6)
    assert by_x.shape.as_list() == [None] and by_w.shape.as_list() == [2]
    weighted = tf.gradients([y, x], x, grad_ys=[tf.constant([10.0, 100.0]), None])
    assert session.run(weighted, {x: [1, 1]})[0].tolist() == [21, 301]


def test_what_does_not_depend(session):
    x, u = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.float32, [2])
    n = tf.cast(x, tf.int32)
    assert tf.gradients(x * 2, u) == [None]
    assert tf.gradients(tf.cast(n, tf.float32), x) == [None]
    assert tf.gradients(tf.stop_gradient(x) * 2, x) == [None]
    zeros = tf.gradients(x * 2, u, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert session.run(zeros, {u: [1, 1]})[0].tolist() == [0, 0]
    with pytest.raises(px.DTypeError, match="dtype int32"):
        tf.gradients(n, x)


def test_stop_gradient(session):
    x = tf.constant(3.0)
    y = x * tf.stop_gradient(x * x)
    assert session.run(tf.gradients(y, x)) == [9]
    a = x * 2
    b = a * x
    assert session.run(tf.gradients(b, x)) == [12]
    assert session.run(tf.gradients(b, x, stop_gradients=[a])) == [6]
    assert session.run(tf.gradients(b, [a, x], stop_gradients=[a, x])) == [3, 6]
    with pytest.raises(px.NotSupportedError, match="stop_gradients through"):
        tf.gradients(tf.nn.dropout(a, 0.5), x, stop_gradients=[a])


def test_higher_derivatives(session):
    x = tf.constant([1.0, 2.0])
    y = tf.reduce_sum(x**3)
    (first,) = tf.gradients(y, x)
    (second,) = tf.gradients(first, x)
    (third,) = tf.gradients(second, x)
    got = session.run([first, second, third])
    assert [v.tolist() for v in got] == [[3, 12], [6, 12], [6, 6]]


def test_hessians(session):
    x = tf.placeholder(tf.float64, [2, 2])
    a = np.arange(1.0, 17).reshape(4, 4)
    y = tf.reduce_sum(tf.matmul(tf.reshape(x, [1, 4]), tf.matmul(tf.constant(a), tf.reshape(x, [4, 1]))))
    (hessian,) = tf.hessians(y, x)
    assert hessian.shape.as_list() == [2, 2, 2, 2]
    np.testing.assert_allclose(session.run(hessian, {x: np.ones((2, 2))}).reshape(4, 4), a + a.T)
    v = tf.placeholder(tf.float64, [None])
    (unknown,) = tf.hessians(tf.reduce_prod(v), v)
    assert session.run(unknown, {v: [2.0, 3.0, 5.0]}).tolist() == [[0, 5, 3], [5, 0, 2], [3, 2, 0]]
    with pytest.raises(px.GradientError, match="nothing depends"):
        tf.hessians(tf.constant(1.0), x)


def test_gradients_of_rows(session):
    w = tf.Variable(tf.ones([4, 2]))
    session.run(w.initializer)
    rows = tf.nn.embedding_lookup(w, [1, 1, 3])
    (gradient,) = tf.gradients(tf.reduce_sum(rows), w)
    assert session.run(gradient).tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]
    slices = tf.IndexedSlices(tf.ones([2, 2]), tf.constant([0, 0]), dense_shape=[4, 2])
    assert session.run(tf.convert_to_tensor(slices))[0].tolist() == [2, 2]


def test_gradients_after_writes(session):
    """A variable read, changed and read again: both reads count, each with its value."""
    v = tf.Variable(2.0)
    session.run(v.initializer)
    before = v * v
    with tf.control_dependencies([before]):
        change = v.assign_add(1.0)
    with tf.control_dependencies([change]):
        after = v.read_value() ** 3
    (gradient,) = tf.gradients(before + after, v)
    assert session.run(gradient) == 2 * 2 + 3 * 9


def test_custom_gradient(session):
    @tf.custom_gradient
    def log1pexp(x):
        """Stable also where exp overflows."""
        e = tf.exp(x)
        return tf.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))

    assert log1pexp.__doc__.startswith("Stable")
    x = tf.constant(100.0)
    assert session.run(tf.gradients(log1pexp(x), x)) == [1]
    x = tf.placeholder(tf.float64, [])
    y = log1pexp(x)
    (first,) = tf.gradients(y, x)
    (second,) = tf.gradients(first, x)
    s = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(
        session.run([y, first, second], {x: 2.0}), [np.log1p(np.exp(2.0)), s, s * (1 - s)]
    )

    @tf.custom_gradient
    def two(a, b):
        return (a + b, a * b), lambda da, db: (da * 10, None)

    a, b = tf.constant(1.0), tf.constant(2.0)
    total, product = two(a, b)
    assert session.run([total, product]) == [3, 2]
    assert session.run(tf.gradients(total, [a, b], unconnected_gradients="zero")) == [10, 0]

    @tf.custom_gradient
    def wrong(a, b):
        return a + b, lambda d: d

    with pytest.raises(px.GradientError, match="1 gradients for 2 inputs"):
        wrong(a, b)


def test_clipping(session):
    a, b = tf.constant([3.0, 0.0]), tf.constant([[4.0]])
    clipped, norm = tf.clip_by_global_norm([a, None, b], 1.0)
    got = session.run([clipped[0], clipped[2], norm])
    np.testing.assert_allclose(got[0], [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(got[1], [[0.8]], rtol=1e-6)
    assert got[2] == 5 and clipped[1] is None
    kept, _ = tf.clip_by_global_norm([a], 100.0)
    assert session.run(kept[0]).tolist() == [3, 0]
    broken, _ = tf.clip_by_global_norm([tf.constant([np.inf, 1.0], tf.float32)], 1.0)
    assert np.isnan(session.run(broken[0])).all()
    assert session.run(tf.clip_by_norm(a, 1.5)).tolist() == [1.5, 0]
    assert session.run(tf.clip_by_value(a, 1.0, 2.0)).tolist() == [2, 1]
    assert session.run(tf.global_norm([a, b])) == 5


def test_gradients_in_bodies(session):
    """Gradient descent written as a loop of the graph."""
    w = tf.Variable(0.0)
    session.run(w.initializer)
    target = tf.constant(3.0)

    def body(i):
        loss = (w - target) ** 2
        with tf.control_dependencies([w.assign_sub(0.25 * tf.gradients(loss, w)[0])]):
            return i + 1

    loop = tf.while_loop(lambda i: i < 4, body, [0])
    session.run(loop)
    assert session.run(w) == 3 * (1 - 0.5**4)


def test_gradients_in_captured_programs(session):
    x = tf.placeholder(tf.float32, [None])
    (gradient,) = tf.gradients(tf.reduce_sum(tf.tanh(x)), x)
    metadata = tf.RunMetadata()
    value = session.run(gradient, {x: [0.5, 1.5]}, run_metadata=metadata)
    assert metadata.captured
    with px.disable_jit():
        assert np.array_equal(session.run(gradient, {x: [0.5, 1.5]}), value)
