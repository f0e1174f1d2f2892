"""Functions, layers and losses with TensorFlow's parameters."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px

RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(3, 4)).astype(np.float32)
B = RANDOM.normal(size=(4, 2)).astype(np.float32)
N = np.array([3, 0, 2])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


CALLS = {
    "matmul": (lambda: tf.matmul(A, B.T, transpose_b=True), A @ B),
    "reduce_sum": (lambda: tf.reduce_sum(A, axis=[0, 1]), A.sum()),
    "reduce_mean": (lambda: tf.reduce_mean(A, 1, keepdims=True), A.mean(1, keepdims=True)),
    "reduce_max": (lambda: tf.reduce_max(A, reduction_indices=0), A.max(0)),
    "reduce_min": (lambda: tf.reduce_min(A, keep_dims=True), A.min(keepdims=True)),
    "reduce_prod": (lambda: tf.reduce_prod(A, [0, 1]), A.prod()),
    "reduce_any": (lambda: tf.reduce_any(A > 2, 1), (A > 2).any(1)),
    "reduce_all": (lambda: tf.reduce_all(A > -9), True),
    "reduce_logsumexp": (lambda: tf.reduce_logsumexp(A, 1), np.log(np.exp(A).sum(1))),
    "mean of integers": (lambda: tf.reduce_mean(N), 1),
    "argmax": (lambda: tf.argmax(A, 1), A.argmax(1)),
    "argmin": (lambda: tf.argmin(A), A.argmin(0)),
    "add_n": (lambda: tf.add_n([A, A, A]), 3 * A),
    "cumsum": (lambda: tf.cumsum(A, 1, exclusive=True, reverse=True), A[:, ::-1].cumsum(1)[:, ::-1] - A),
    "tensordot": (lambda: tf.tensordot(A, B, [[1], [0]]), A @ B),
    "transpose": (lambda: tf.transpose(A), A.T),
    "expand_dims": (lambda: tf.expand_dims(A, -1), A[..., None]),
    "squeeze": (lambda: tf.squeeze(A[:1, None], axis=[0, 1]), A[0]),
    "concat": (lambda: tf.concat([A, A], axis=1), np.concatenate([A, A], 1)),
    "stack": (lambda: tf.stack([A, A], axis=1), np.stack([A, A], 1)),
    "unstack": (lambda: tf.unstack(tf.constant(A), axis=1)[2], A[:, 2]),
    "split": (lambda: tf.split(A, [1, -1], 1)[1], A[:, 1:]),
    "tile": (lambda: tf.tile(A, [2, 1]), np.tile(A, (2, 1))),
    "pad": (
        lambda: tf.pad(A, [[1, 0], [0, 2]], constant_values=7),
        np.pad(A, [(1, 0), (0, 2)], constant_values=7),
    ),
    "pad reflect": (lambda: tf.pad(A, [[1, 2], [3, 0]], "REFLECT"), np.pad(A, [(1, 2), (3, 0)], "reflect")),
    "pad symmetric": (
        lambda: tf.pad(A, [[1, 2], [3, 0]], "SYMMETRIC"),
        np.pad(A, [(1, 2), (3, 0)], "symmetric"),
    ),
    "reverse": (lambda: tf.reverse(A, [1]), A[:, ::-1]),
    "slice": (lambda: tf.slice(A, [1, 0], [-1, 2]), A[1:, :2]),
    "strided_slice": (lambda: tf.constant(A)[1:, ::2, None], A[1:, ::2, None]),
    "gather": (lambda: tf.gather(A, N - 1, axis=1), A[:, N - 1]),
    "gather_nd": (lambda: tf.gather_nd(A, [[0, 1], [2, 3]]), A[[0, 2], [1, 3]]),
    "boolean_mask": (lambda: tf.boolean_mask(A, A[:, 0] > 0), A[A[:, 0] > 0]),
    "where": (lambda: tf.where(A > 0, A, -A), abs(A)),
    "where rows": (lambda: tf.where(tf.constant([True, False, True]), A, -A), A * [[1], [-1], [1]]),
    "where places": (lambda: tf.where(A > 0), np.argwhere(A > 0)),
    "scatter_nd": (lambda: tf.scatter_nd([[1], [1]], [2.0, 3.0], [4]), [0, 5, 0, 0]),
    "unsorted_segment_sum": (lambda: tf.unsorted_segment_sum(A, [0, 1, 0], 2), [A[0] + A[2], A[1]]),
    "one_hot": (lambda: tf.one_hot(N, 3), [[0, 0, 0], [1, 0, 0], [0, 0, 1]]),
    "one_hot axis": (lambda: tf.one_hot(N, 3, 5.0, -1.0, axis=0)[2], [-1, -1, 5]),
    "sequence_mask": (lambda: tf.sequence_mask(N), np.arange(3) < N[:, None]),
    "range": (lambda: tf.range(2, 8, 3), [2, 5]),
    "range of floats": (lambda: tf.range(3.0), [0, 1, 2]),
    "linspace": (lambda: tf.linspace(0.0, 1.0, 3), [0, 0.5, 1]),
    "eye": (lambda: tf.eye(2), np.eye(2)),
    "fill": (lambda: tf.fill([2, 2], 3), np.full((2, 2), 3)),
    "zeros_like": (lambda: tf.zeros_like(A) + tf.ones_like(A), np.ones_like(A)),
    "cast": (lambda: tf.cast(A, tf.int32), A.astype(np.int32)),
    "size": (lambda: tf.size(A) + tf.rank(A), 14),
    "norm": (lambda: tf.norm(A, axis=1), np.linalg.norm(A, axis=1)),
    "reverse_sequence": (
        lambda: tf.reverse_sequence(A, [3, 0, 4], 1),
        [A[0, [2, 1, 0, 3]], A[1], A[2, ::-1]],
    ),
    "broadcast_to": (lambda: tf.broadcast_to(A[:, :1], [3, 2]), A[:, [0, 0]]),
    "clip_by_value": (lambda: tf.clip_by_value(A, -0.5, 0.5), A.clip(-0.5, 0.5)),
    "ensure_shape": (lambda: tf.ensure_shape(A, [None, 4]), A),
    "renamed": (lambda: tf.multiply(x=A, y=2.0) - tf.floordiv(7, 2) + tf.negative(A), A - 3),
    "comparisons": (lambda: tf.logical_and(tf.greater(A, 0), tf.less_equal(A, 1)), (A > 0) & (A <= 1)),
    "of Phlox": (lambda: tf.logaddexp(A, 2 * A), np.logaddexp(A, 2 * A)),
    "softmax": (lambda: tf.nn.softmax(A), softmax(A)),
    "log_softmax": (lambda: tf.nn.log_softmax(A, axis=-1), np.log(softmax(A))),
    "leaky_relu": (lambda: tf.nn.leaky_relu(A), np.where(A > 0, A, 0.2 * A)),
    "l2_normalize": (lambda: tf.nn.l2_normalize(A, 1), A / np.linalg.norm(A, axis=1, keepdims=True)),
    "l2_loss": (lambda: tf.nn.l2_loss(A), (A * A).sum() / 2),
    "moments": (lambda: tf.nn.moments(tf.constant(A), [0])[1], A.var(0)),
    "bias_add": (
        lambda: tf.nn.bias_add(A[None, :, :], N.astype(np.float32), "NCHW"),
        A[None] + N[None, :, None],
    ),
    "softmax_cross_entropy_v2": (
        lambda: tf.nn.softmax_cross_entropy_with_logits_v2(labels=softmax(A), logits=A),
        -(softmax(A) * np.log(softmax(A))).sum(1),
    ),
    "softmax_cross_entropy": (
        lambda: tf.nn.softmax_cross_entropy_with_logits(labels=softmax(A), logits=A),
        -(softmax(A) * np.log(softmax(A))).sum(1),
    ),
    "sparse_softmax_cross_entropy": (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=N, logits=A),
        -np.log(softmax(A))[[0, 1, 2], N],
    ),
    "sigmoid_cross_entropy": (
        lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=np.ones_like(A), logits=A),
        np.log1p(np.exp(-A)),
    ),
    "in_top_k": (lambda: tf.nn.in_top_k(A, N, 1), A.argmax(1) == N),
    "top_k": (lambda: tf.nn.top_k(A, 2)[0], np.sort(A, 1)[:, :-3:-1]),
}


@pytest.mark.parametrize("name", CALLS)
def test_functions(session, name):
    call, wanted = CALLS[name]
    tensor = call()
    value = session.run(tensor)
    np.testing.assert_allclose(value, wanted, rtol=2e-6, atol=1e-6)
    assert tensor.shape.is_compatible_with(list(np.shape(value)))


def test_mistakes_of_functions(session):
    with pytest.raises(px.ShapeError, match="not divided by 3"):
        tf.split(A, 3, 1)
    with pytest.raises(px.ShapeError, match="has the size 3"):
        tf.squeeze(A, [0])
    with pytest.raises(px.errors.ValueError, match="SAME or VALID"):
        tf.nn.max_pool(np.ones((1, 4, 4, 1), np.float32), 2, 2, "FULL")
    with pytest.raises(px.errors.ValueError, match="one of keep_prob and rate"):
        tf.nn.dropout(A)
    with pytest.raises(px.ShapeError, match="ensure_shape"):
        session.run(tf.ensure_shape(tf.placeholder(tf.float32), [2]), {"Placeholder:0": A})


def image(channels=3):
    return RANDOM.normal(size=(2, 5, 6, channels)).astype(np.float32)


@pytest.mark.parametrize("padding, strides, sizes", [("SAME", 2, (2, 3, 3, 4)), ("VALID", 1, (2, 3, 4, 4))])
def test_conv2d(session, padding, strides, sizes):
    x, kernel = image(), RANDOM.normal(size=(3, 3, 3, 4)).astype(np.float32)
    y = tf.nn.conv2d(x, kernel, [1, strides, strides, 1], padding)
    value = session.run(y)
    assert value.shape == sizes == tuple(y.shape.as_list())
    before = (1, 0) if padding == "SAME" else (0, 0)  # of 5 and 6, in steps of 2: one more at the end
    padded = np.pad(x, [(0, 0), (1, 1), (0, 1), (0, 0)]) if padding == "SAME" else x
    at = padded[0, strides : strides + 3, strides : strides + 3]
    np.testing.assert_allclose(value[0, 1, 1], np.einsum("hwi,hwio->o", at, kernel), rtol=1e-4, atol=1e-5)
    assert before
    first = session.run(tf.nn.conv2d(x.transpose(0, 3, 1, 2), kernel, strides, padding, data_format="NCHW"))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), value, rtol=1e-4, atol=1e-5)


def test_pooling(session):
    x = image(1)
    largest = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    mean = tf.nn.avg_pool(x, 2, 2, "SAME")
    a, b = session.run([largest, mean])
    assert a.shape == b.shape == (2, 3, 3, 1)
    np.testing.assert_allclose(a[0, 2, 1, 0], x[0, 4, 2:4, 0].max())
    np.testing.assert_allclose(
        b[0, 2, 1, 0], x[0, 4, 2:4, 0].mean(), rtol=1e-6
    )  # of the elements that are there
    inside = session.run(tf.layers.average_pooling2d(x, 2, 2))
    np.testing.assert_allclose(inside[0, 0, 0, 0], x[0, :2, :2, 0].mean(), rtol=1e-6)
    assert session.run(tf.layers.max_pooling2d(x, 2, 2)).shape == (2, 2, 3, 1)


def test_dense(session):
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.layers.dense(x, 3, tf.nn.relu, name="first")
    again = tf.layers.dense(x, 3, tf.nn.relu, name="first", reuse=True)
    other = tf.layers.dense(tf.layers.dense(x, 2), 2, use_bias=False, kernel_regularizer=tf.nn.l2_loss)
    three = tf.layers.dense(tf.reshape(x, [-1, 1, 4]), 3, name="first", reuse=True)
    names = ["first/kernel", "first/bias", "dense/kernel", "dense/bias", "dense_1/kernel"]
    assert [v.op.name for v in tf.trainable_variables()] == names
    assert y.name == "first/Relu:0" and len(tf.losses.get_regularization_losses()) == 1
    session.run(tf.global_variables_initializer())
    got = session.run([y, again, three, other, tf.trainable_variables()[0]], {x: A})
    np.testing.assert_array_equal(got[0], got[1])
    np.testing.assert_allclose(np.maximum(got[2][:, 0], 0), got[0], rtol=1e-5)
    np.testing.assert_allclose(got[0], np.maximum(A @ got[4], 0), rtol=1e-5)
    with pytest.raises(px.errors.ValueError, match="must be known"):
        tf.layers.dense(tf.placeholder(tf.float32, [None, None]), 3)


def test_conv2d_layer(session):
    x = tf.placeholder(tf.float32, [None, 5, 6, 3])
    y = tf.layers.conv2d(x, 4, 3, strides=(2, 2), padding="same", activation=tf.nn.relu)
    assert y.shape.as_list() == [None, 3, 3, 4]
    kernel, bias = tf.trainable_variables()
    assert (kernel.name, kernel.shape.as_list(), bias.name) == (
        "conv2d/kernel:0",
        [3, 3, 3, 4],
        "conv2d/bias:0",
    )
    session.run(tf.global_variables_initializer())
    assert session.run(y, {x: image()}).min() == 0
    flat = tf.layers.flatten(y)
    assert flat.shape.as_list() == [None, 36] and session.run(flat, {x: image()}).shape == (2, 36)
    unknown = tf.layers.flatten(tf.placeholder(tf.float32, [None, None, 3]))
    assert session.run(unknown, {unknown.op.inputs[0]: np.ones((2, 5, 3))}).shape == (2, 15)
    with pytest.raises(px.errors.ValueError, match="channels_last or channels_first"):
        tf.layers.conv2d(x, 4, 3, data_format="NHWC")


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization(session, axis):
    data = image(3) * 4 + 2
    data = data if axis == -1 else data.transpose(0, 3, 1, 2).copy()
    others = (0, 1, 2) if axis == -1 else (0, 2, 3)
    x = tf.placeholder(tf.float32, data.shape)
    training = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(x, axis=axis, momentum=0.5, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(updates) == 2 and [v.op.name for v in tf.trainable_variables()] == [
        "batch_normalization/gamma",
        "batch_normalization/beta",
    ]
    session.run(tf.global_variables_initializer())
    trained, _ = session.run([y, updates], {x: data, training: True})
    np.testing.assert_allclose(trained.mean(others), 0, atol=1e-5)
    np.testing.assert_allclose(trained.std(others), 1, atol=1e-3)
    mean, variance = session.run(tf.global_variables()[2:])
    np.testing.assert_allclose(mean, data.mean(others) / 2, rtol=1e-4)
    np.testing.assert_allclose(variance, (1 + data.var(others)) / 2, rtol=1e-4)
    still, _ = session.run([y, updates], {x: data, training: False})
    shape = [1, 1, 1, 3] if axis == -1 else [1, 3, 1, 1]
    wanted = (data - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-3)
    np.testing.assert_allclose(still, wanted, rtol=1e-4, atol=1e-5)
    assert session.run(tf.global_variables()[2]).tolist() == mean.tolist()


def test_batch_normalization_of_fixed_kind(session):
    x = tf.constant(A)
    trained = tf.layers.batch_normalization(x, training=True, center=False, scale=False)
    plain = tf.layers.batch_normalization(x)
    session.run(tf.global_variables_initializer())
    np.testing.assert_allclose(session.run(trained).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(session.run(plain), A / np.sqrt(1.001), rtol=1e-5)


def test_dropout(session):
    x, training = tf.ones([100, 100]), tf.placeholder(tf.bool, [])
    y = tf.layers.dropout(x, 0.25, training=training)
    assert session.run(y, {training: False}).min() == 1
    value = session.run(y, {training: True})
    assert sorted(set(value.ravel().tolist())) == [0, pytest.approx(4 / 3)] and abs(value.mean() - 1) < 0.05
    rows = session.run(tf.nn.dropout(x, keep_prob=0.5, noise_shape=[100, 1]))
    assert ((rows == 0).all(1) | (rows == 2).all(1)).all()
    assert session.run(tf.layers.dropout(x)).min() == 1
    assert session.run(tf.layers.dropout(x, training=True)).min() == 0


def test_losses(session):
    labels, weights = np.zeros_like(A), np.array([[1.0], [0.0], [2.0]], np.float32)
    one = tf.losses.mean_squared_error(labels, A)
    weighted = tf.losses.mean_squared_error(labels, A, weights)
    others = [
        tf.losses.absolute_difference(labels, A, reduction=tf.losses.Reduction.SUM),
        tf.losses.softmax_cross_entropy(np.eye(4)[N], A, label_smoothing=0.1),
        tf.losses.sparse_softmax_cross_entropy(
            N, A, weights=[1.0, 0.0, 1.0], reduction=tf.losses.Reduction.MEAN
        ),
        tf.losses.sigmoid_cross_entropy(
            labels + 1, A, label_smoothing=0.5, reduction=tf.losses.Reduction.NONE
        ),
    ]
    got = session.run([one, weighted, *others])
    np.testing.assert_allclose(got[0], (A * A).mean(), rtol=1e-5)
    np.testing.assert_allclose(got[1], (A * A * weights).sum() / 8, rtol=1e-5)
    np.testing.assert_allclose(got[2], abs(A).sum(), rtol=1e-5)
    smooth = np.eye(4)[N] * 0.9 + 0.025
    np.testing.assert_allclose(got[3], -(smooth * np.log(softmax(A))).sum(1).mean(), rtol=1e-5)
    own = -np.log(softmax(A))[[0, 1, 2], N]
    np.testing.assert_allclose(got[4], (own[0] + own[2]) / 2, rtol=1e-5)
    np.testing.assert_allclose(got[5], np.log1p(np.exp(-A)) * 0.75 + np.log1p(np.exp(A)) * 0.25, rtol=1e-5)
    assert tf.losses.get_losses() == [one, weighted, *others]
    tf.get_collection_ref(tf.GraphKeys.LOSSES)[:] = [one, weighted]
    np.testing.assert_allclose(session.run(tf.losses.get_total_loss()), got[0] + got[1], rtol=1e-5)
