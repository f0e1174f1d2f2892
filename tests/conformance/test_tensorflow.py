"""TensorFlow as an outside judge of graph mode: each program runs with both, line for line the same.

Values and gradients must agree within 1e-6, which is asked of float64 and of float32 alike; names of variables must be
equal.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # which has the cells of TensorFlow 1

import numpy as np
import phlox.graph_mode as phlox_tf
import pytest
import tensorflow.compat.v1 as tensorflow

tensorflow.disable_v2_behavior()

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 5, 4))
LENGTHS = np.array([5, 2, 3], np.int32)
IMAGES = RANDOM.normal(size=(2, 7, 6, 3))


def sines(tf):
    """An initializer that is the same in both."""

    def initial(shape, dtype=None, partition_info=None):
        count = int(np.prod([int(s) for s in shape]))
        return tf.constant(np.sin(np.arange(float(count)) + 1).reshape([int(s) for s in shape]))

    return initial


def both(program, feeds, steps=1):
    """What a program gives with both: `program(tf)` gives tensors, and an operation to run before each fetch or None."""
    found, names = [], []
    for tf in (tensorflow, phlox_tf):
        with tf.Graph().as_default(), tf.Session() as session:
            with tf.variable_scope("net", initializer=sines(tf), dtype=tf.float64):
                tensors, update = program(tf)
            session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
            for _ in range(steps if update is not None else 0):
                session.run(update, feeds)
            found.append(session.run([t for t in tensors if t is not None], feeds))
            names.append([v.name for v in tf.global_variables()])
    assert names[0] == names[1]
    assert len(found[0]) == len(found[1]) > 0
    for theirs, ours in zip(*found):
        assert np.shape(theirs) == np.shape(ours)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    return found


def loop(tf):
    x = tf.placeholder(tf.float64, [3, 4], name="x")
    w = tf.get_variable("w", [4, 4])
    n = tf.placeholder(tf.int32, [], name="n")
    _, y = tf.while_loop(
        lambda i, h: i < n, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w) + x)), [0, tf.zeros_like(x)]
    )
    return tf.reduce_sum(y * y), x, w


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_while_loop(count):
    def program(tf):
        loss, x, w = loop(tf)
        first = tf.gradients(loss, [x, w])
        return [loss, *first], None

    both(program, {"net/x:0": X[:, 0], "net/n:0": count})


def test_second_derivatives_of_loops():
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 4], name="x")
        w = tf.get_variable("w", [4, 4])
        y = x
        for _ in range(3):
            y = tf.tanh(tf.matmul(y, w))
        loss = tf.reduce_sum(y)
        (first,) = tf.gradients(loss, x)
        return [*tf.gradients(tf.reduce_sum(first * first), [x, w]), *tf.hessians(loss, x)], None

    both(program, {"net/x:0": X[:, 0]})


def test_loop_until_data_says_so():
    def program(tf):
        x = tf.placeholder(tf.float64, [4], name="x")
        y = tf.while_loop(lambda v: tf.reduce_sum(v * v) < 1000, lambda v: v * tf.exp(0.1 * v) * 1.5, [x])
        return [y, *tf.gradients(y, x)], None

    both(program, {"net/x:0": X[0, 0]})


@pytest.mark.parametrize("flag", [True, False])
def test_cond_in_a_loop(flag):
    def program(tf):
        x = tf.placeholder(tf.float64, [4], name="x")
        p = tf.placeholder(tf.bool, [], name="p")
        _, y = tf.while_loop(
            lambda i, v: i < 4,
            lambda i, v: (i + 1, tf.cond(tf.logical_and(p, i > 1), lambda: v * x, lambda: tf.sin(v) + x)),
            [0, x],
        )
        return [y, *tf.gradients(y, x)], None

    both(program, {"net/x:0": X[0, 0], "net/p:0": flag})


def test_functions_of_elements():
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 5, 4], name="x")
        w = tf.get_variable("w", [4])
        results = [
            tf.map_fn(lambda v: tf.tanh(v * w), x),
            tf.scan(lambda a, v: a * 0.5 + tf.sin(v * w), x),
            tf.scan(lambda a, v: a + v, x, initializer=tf.zeros([5, 4], tf.float64), reverse=True),
            tf.foldl(lambda a, v: a * v + w, x),
            tf.foldr(lambda a, v: a * 0.1 + v, x),
        ]
        loss = tf.add_n([tf.reduce_sum(r * r) for r in results])
        return [*results, *tf.gradients(loss, [x, w])], None

    both(program, {"net/x:0": X})


CELLS = {
    "BasicRNN": lambda c: c.BasicRNNCell(3),
    "GRU": lambda c: c.GRUCell(3),
    "LSTM": lambda c: c.LSTMCell(3),
    "BasicLSTM": lambda c: c.BasicLSTMCell(3),
    "peepholes": lambda c: c.LSTMCell(3, use_peepholes=True, forget_bias=0.5),
    "projection": lambda c: c.LSTMCell(5, num_proj=3, cell_clip=0.4, proj_clip=0.2),
    "stack": lambda c: c.MultiRNNCell([c.LSTMCell(3), c.GRUCell(2)]),
    "residual": lambda c: c.ResidualWrapper(c.GRUCell(4)),
}


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_dynamic_rnn(cell, lengths):
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 5, 4], name="x")
        made = CELLS[cell](tf.nn.rnn_cell)
        y, state = tf.nn.dynamic_rnn(made, x, LENGTHS if lengths else None, dtype=tf.float64)
        flat = list(tensorflow.nest.flatten(state) if tf is tensorflow else phlox_flat(state))
        loss = tf.reduce_sum(y * y) + tf.add_n([tf.reduce_sum(s) for s in flat])
        return [y, *flat, *tf.gradients(loss, [x, *tf.trainable_variables()])], None

    both(program, {"net/x:0": X})


def phlox_flat(state):
    return [t for part in state for t in phlox_flat(part)] if isinstance(state, tuple) else [state]


def test_other_networks():
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 5, 4], name="x")
        cells = tf.nn.rnn_cell
        outputs, states = tf.nn.bidirectional_dynamic_rnn(
            cells.GRUCell(3), cells.GRUCell(3), x, LENGTHS, dtype=tf.float64
        )
        written, last = tf.nn.static_rnn(
            cells.BasicRNNCell(2), tf.unstack(x, axis=1), dtype=tf.float64, sequence_length=LENGTHS
        )
        steps = tf.TensorArray(tf.float64, 5).unstack(tf.transpose(x, [1, 0, 2]))
        cell = cells.LSTMCell(3)

        def steer(time, output, state, loop_state):
            finished = time >= LENGTHS
            state = cell.zero_state(3, tf.float64) if output is None else state
            step = tf.cond(
                tf.reduce_all(finished), lambda: tf.zeros([3, 4], tf.float64), lambda: steps.read(time)
            )
            return finished, step, state, output, None

        with tf.variable_scope("raw"):
            emitted, raw_state, _ = tf.nn.raw_rnn(cell, steer)
        results = [*outputs, *states, *written, last, emitted.stack(), *raw_state]
        loss = tf.add_n([tf.reduce_sum(r * r) for r in results])
        return [*results, *tf.gradients(loss, [x, *tf.trainable_variables()])], None

    both(program, {"net/x:0": X})


OPTIMIZERS = {
    "descent": lambda t: t.GradientDescentOptimizer(0.1),
    "momentum": lambda t: t.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda t: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adam": lambda t: t.AdamOptimizer(0.1),
    "adagrad": lambda t: t.AdagradOptimizer(0.1),
    "rms": lambda t: t.RMSPropOptimizer(0.1, 0.9, 0.5),
    "centered": lambda t: t.RMSPropOptimizer(0.1, centered=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training(name):
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 4], name="x")
        hidden = tf.layers.dense(x, 6, tf.nn.tanh)
        loss = tf.losses.mean_squared_error(x, tf.layers.dense(hidden, 4, name="out"))
        step = tf.train.get_or_create_global_step()
        train = OPTIMIZERS[name](tf.train).minimize(loss, global_step=step)
        with tf.control_dependencies([train]):
            train = tf.train.ExponentialMovingAverage(0.9).apply(tf.trainable_variables())
        rate = tf.train.exponential_decay(0.1, step, 3, 0.5)
        return [loss, rate, *tf.global_variables()], train

    both(program, {"net/x:0": X[:, 0]}, steps=5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_images(padding):
    def program(tf):
        x = tf.placeholder(tf.float64, [2, 7, 6, 3], name="x")
        y = tf.layers.conv2d(x, 4, 2, strides=(2, 1), padding=padding)
        y = tf.layers.batch_normalization(y, training=True)
        y = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 1, 1, 1], padding.upper())
        y = tf.layers.average_pooling2d(y, 2, 1, padding)
        loss = tf.reduce_sum(tf.square(tf.layers.flatten(y)))
        updates = tf.group(*tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        variables = tf.global_variables()
        return [y, loss, *tf.gradients(loss, [x, *tf.trainable_variables()]), *variables], updates

    both(program, {"net/x:0": IMAGES}, steps=2)


def test_clipping_and_losses():
    def program(tf):
        x = tf.placeholder(tf.float64, [3, 4], name="x")
        w = tf.get_variable("w", [4, 5])
        logits = tf.matmul(x, w)
        losses = [
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 3, 4], logits=logits),
            tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(logits * 2), logits=logits),
            tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(logits), logits=logits),
            tf.losses.softmax_cross_entropy(
                tf.one_hot([0, 3, 4], 5, dtype=tf.float64), logits, label_smoothing=0.1
            ),
        ]
        grads = tf.gradients(losses, [x, w])
        clipped, norm = tf.clip_by_global_norm(grads, 0.5)
        return [*losses, *clipped, norm, tf.clip_by_norm(grads[1], 0.1)], None

    both(program, {"net/x:0": X[:, 0]})


def test_custom_gradients():
    def program(tf):
        @tf.custom_gradient
        def log1pexp(x):
            e = tf.exp(x)
            return tf.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))

        x = tf.placeholder(tf.float64, [4], name="x")
        y = log1pexp(x * x)
        (first,) = tf.gradients(y, x)
        return [y, first, *tf.gradients(first, x)], None

    both(program, {"net/x:0": X[0, 0]})


def test_names_of_operations():
    """Names of tensors are the same where one operation there is one here."""
    found = []
    for tf in (tensorflow, phlox_tf):
        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [None, 4])
            with tf.name_scope("a"):
                tensors = [
                    x + 1,
                    x * 2,
                    tf.matmul(x, tf.ones([4, 2])),
                    tf.nn.relu(x),
                    tf.reduce_mean(x),
                    tf.tanh(x),
                ]
                with tf.name_scope("a"):
                    tensors += [
                        tf.identity(x),
                        tf.identity(x, name="y"),
                        tf.square(x),
                        -x,
                        x - 1,
                        tf.nn.softmax(x),
                    ]
            with tf.name_scope("a"):
                tensors += [
                    tf.concat([x, x], 1),
                    tf.reshape(x, [-1]),
                    tf.transpose(x),
                    tf.cast(x, tf.int32),
                    x > 0,
                ]
            with tf.variable_scope("v"):
                tensors += [
                    tf.get_variable("w", [2]),
                    tf.add(x, 1.0, name="z"),
                    x / 2,
                    tf.exp(x),
                    tf.sigmoid(x),
                ]
            found.append([t.name for t in tensors])
    # TensorFlow gives some operations parts of their own, such as transpose/perm.
    same = sum(a == b for a, b in zip(*found))
    assert same >= len(found[0]) - 2, list(zip(*found))


def test_event_files(tmp_path):
    """TensorFlow reads what the writer wrote."""
    tf = phlox_tf
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        tf.summary.scalar("average", tf.reduce_mean(x))
        tf.summary.histogram("values", x)
        merged = tf.summary.merge_all()
        writer = tf.summary.FileWriter(str(tmp_path), session.graph)
        for step in range(3):
            writer.add_summary(session.run(merged, {x: [1.0, 2.0, step]}), step)
        writer.close()
    (path,) = tmp_path.iterdir()
    version, graph, *events = tensorflow.train.summary_iterator(str(path))
    assert version.file_version == "brain.Event:2"
    definition = tensorflow.GraphDef.FromString(graph.graph_def)
    assert definition.node[0].name == "x" and definition.node[0].op == "Placeholder"
    assert [e.step for e in events] == [0, 1, 2]
    mean, values = events[2].summary.value
    assert (mean.tag, values.tag) == ("average", "values") and abs(mean.simple_value - 5 / 3) < 1e-6
    histogram = values.histo
    assert (histogram.min, histogram.max, histogram.num, histogram.sum_squares) == (1, 2, 3, 9)
    assert sum(histogram.bucket) == 3 and len(histogram.bucket) == len(histogram.bucket_limit)
