"""Optimizers, schedules, averages."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px

GRADIENTS = [np.array([0.5, -2.0]), np.array([0.1, 3.0]), np.array([-1.0, 0.0])]


def numpy_adam(w, rate=0.1, b1=0.9, b2=0.99, eps=1e-3):
    m = v = 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
    return w


def numpy_momentum(w, nesterov):
    a = 0.0
    for g in GRADIENTS:
        a = 0.9 * a + g
        w = w - (0.1 * g + 0.1 * 0.9 * a if nesterov else 0.1 * a)
    return w


def numpy_rms(w, centered):
    s, m, mean = 1.0, 0.0, 0.0
    for g in GRADIENTS:
        s = 0.9 * s + 0.1 * g * g
        mean = 0.9 * mean + 0.1 * g
        m = 0.5 * m + 0.1 * g / np.sqrt(s - (mean**2 if centered else 0) + 1e-3)
        w = w - m
    return w


def numpy_adagrad(w):
    a = 0.1
    for g in GRADIENTS:
        a = a + g * g
        w = w - 0.1 * g / np.sqrt(a)
    return w


W = np.array([1.0, 2.0])
OPTIMIZERS = {
    "GradientDescent": (lambda: tf.train.GradientDescentOptimizer(0.1), W - 0.1 * sum(GRADIENTS)),
    "Momentum": (lambda: tf.train.MomentumOptimizer(0.1, 0.9), numpy_momentum(W, False)),
    "Nesterov": (lambda: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), numpy_momentum(W, True)),
    "Adam": (lambda: tf.train.AdamOptimizer(0.1, 0.9, 0.99, 1e-3), numpy_adam(W)),
    "Adagrad": (lambda: tf.train.AdagradOptimizer(0.1), numpy_adagrad(W)),
    "RMSProp": (lambda: tf.train.RMSPropOptimizer(0.1, 0.9, 0.5, 1e-3), numpy_rms(W, False)),
    "Centered": (lambda: tf.train.RMSPropOptimizer(0.1, 0.9, 0.5, 1e-3, centered=True), numpy_rms(W, True)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_follow_their_formulas(session, name):
    make, wanted = OPTIMIZERS[name]
    w = tf.Variable(W, name="w")
    g = tf.placeholder(tf.float64, [2])
    step = make().apply_gradients([(g, w)])
    session.run(tf.global_variables_initializer())
    metadata = tf.RunMetadata()
    for gradient in GRADIENTS:
        session.run(step, {g: gradient}, run_metadata=metadata)
    assert metadata.captured
    np.testing.assert_allclose(session.run(w), wanted, rtol=1e-6)


def test_names_of_slots():
    w = tf.Variable(tf.zeros([2]), name="w")
    adam = tf.train.AdamOptimizer()
    adam.minimize(tf.reduce_sum(w * w))
    names = [v.name for v in tf.global_variables()]
    assert names == ["w:0", "beta1_power:0", "beta2_power:0", "w/Adam:0", "w/Adam_1:0"]
    assert adam.get_slot_names() == ["m", "v"] and adam.get_slot(w, "m").name == "w/Adam:0"
    assert adam.get_slot(w, "momentum") is None and len(adam.variables()) == 4
    assert tf.trainable_variables() == [w] and adam.get_name() == "Adam"


def test_compute_and_apply(session):
    w, u = tf.Variable([3.0, 4.0]), tf.Variable([1.0])
    optimizer = tf.train.GradientDescentOptimizer(tf.constant(1.0))
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w) / 2)
    assert pairs[1] == (None, u)
    clipped = [(tf.clip_by_norm(g, 1.0), v) for g, v in pairs if g is not None]
    count = tf.train.get_or_create_global_step()
    assert tf.train.get_or_create_global_step() is count is tf.train.get_global_step()
    step = optimizer.apply_gradients(clipped, global_step=count)
    session.run(tf.global_variables_initializer())
    session.run(step)
    np.testing.assert_allclose(session.run(w), [3 - 0.6, 4 - 0.8], rtol=1e-6)
    assert session.run(count) == 1 == tf.train.global_step(session, count) and count.dtype is tf.int64
    with pytest.raises(px.errors.ValueError, match="a gradient for none"):
        optimizer.apply_gradients([(None, u)])
    with pytest.raises(px.errors.ValueError, match="already"):
        tf.train.create_global_step()


def test_there_must_be_variables():
    with pytest.raises(px.errors.ValueError, match="no variables to optimize"):
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.constant(1.0))
    with pytest.raises(px.errors.ValueError, match="needs a name"):
        tf.train.GradientDescentOptimizer(0.1, name="")


def test_gradients_of_rows_and_constraints(session):
    w = tf.get_variable(
        "w", [3, 2], initializer=tf.ones_initializer(), constraint=lambda v: tf.clip_by_value(v, 0.5, 9.0)
    )
    rows = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([1]), dense_shape=[3, 2])
    step = tf.train.GradientDescentOptimizer(5.0).apply_gradients([(rows, w)])
    session.run(tf.global_variables_initializer())
    session.run(step)
    assert session.run(w).tolist() == [[1, 1], [0.5, 0.5], [1, 1]]


def test_an_optimizer_of_ones_own(session):
    class SignDescent(tf.train.Optimizer):
        def __init__(self):
            super().__init__(False, "SignDescent")

        def _apply(self, gradient, variable):
            return variable.assign_sub(0.5 * tf.sign(gradient)).op

    w = tf.Variable([3.0, -4.0])
    step = SignDescent().minimize(tf.reduce_sum(w * w))
    session.run(w.initializer)
    session.run(step)
    assert session.run(w).tolist() == [2.5, -3.5]


def test_a_classifier_learns(session):
    random = np.random.default_rng(0)
    data = random.normal(size=(200, 2)).astype(np.float32)
    classes = (data[:, 0] * data[:, 1] > 0).astype(np.int64)
    tf.set_random_seed(3)
    x, y = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int64, [None])
    logits = tf.layers.dense(tf.layers.dense(x, 16, tf.nn.tanh), 2)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
    step = tf.train.AdamOptimizer(0.05).minimize(loss)
    session.run(tf.global_variables_initializer())
    for _ in range(150):
        session.run(step, {x: data, y: classes})
    assert session.run(accuracy, {x: data, y: classes}) > 0.95
    assert "captured 1 times" in session.explain()


def test_schedules(session):
    step = tf.Variable(25, trainable=False)
    train = tf.train
    tensors = [
        train.exponential_decay(0.1, step, 10, 0.5),
        train.exponential_decay(0.1, step, 10, 0.5, staircase=True),
        train.inverse_time_decay(0.1, step, 10, 0.5),
        train.polynomial_decay(0.1, step, 50, 0.02, power=2.0),
        train.cosine_decay(0.1, step, 100, alpha=0.1),
        train.piecewise_constant(step, [10, 20, 30], [1.0, 0.5, 0.25, 0.1]),
    ]
    session.run(step.initializer)
    cosine = 0.1 * (0.9 * 0.5 * (1 + np.cos(np.pi * 0.25)) + 0.1)
    wanted = [0.1 * 0.5**2.5, 0.025, 0.1 / 2.25, 0.08 * 0.25 + 0.02, cosine, 0.25]
    np.testing.assert_allclose(session.run(tensors), wanted, rtol=1e-6)
    rate = train.exponential_decay(1.0, step, 1, 0.5)
    w = tf.Variable(0.0)
    session.run([w.initializer, step.assign(0)])
    update = train.GradientDescentOptimizer(rate).apply_gradients([(tf.constant(1.0), w)], global_step=step)
    for _ in range(3):
        session.run(update)
    assert session.run(w) == -1.75 and session.run(step) == 3
    with pytest.raises(px.errors.ValueError, match="2 boundaries need 3 values"):
        train.piecewise_constant(step, [1, 2], [1.0])


def test_moving_averages(session):
    w = tf.Variable(10.0, name="w")
    averages = tf.train.ExponentialMovingAverage(0.9)
    change = w.assign(20.0)
    with tf.control_dependencies([change]):
        update = averages.apply([w])
    average = averages.average(w)
    assert average.name == "w/ExponentialMovingAverage:0" == averages.average_name(w) + ":0"
    assert averages.variables_to_restore() == {"w/ExponentialMovingAverage": w}
    assert tf.moving_average_variables() == [average]
    session.run(tf.global_variables_initializer())
    session.run(update)
    np.testing.assert_allclose(session.run(average), 11)
    session.run(update)
    np.testing.assert_allclose(session.run(average), 11.9)
    early = tf.train.ExponentialMovingAverage(0.99, num_updates=tf.constant(0))
    update = early.apply([w])
    session.run(early.average(w).initializer)
    session.run(w.assign(40.0))
    session.run(update)
    np.testing.assert_allclose(session.run(early.average(w)), 0.1 * 20 + 0.9 * 40, rtol=1e-6)


def test_moving_averages_of_tensors(session):
    x = tf.placeholder(tf.float32, [])
    averages = tf.train.ExponentialMovingAverage(0.5)
    update = averages.apply([x])
    session.run(tf.global_variables_initializer())
    session.run(update, {x: 8.0})
    assert session.run(averages.average(x)) == 8  # not drawn to the zero that it began with
    session.run(update, {x: 2.0})
    np.testing.assert_allclose(session.run(averages.average(x)), (8 * 0.25 + 2 * 0.5) / 0.75)
    with pytest.raises(px.errors.TypeError, match="int32"):
        averages.apply([tf.constant(1)])
