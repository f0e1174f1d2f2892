"""Recurrent networks beside TensorFlow's."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px

cells = tf.nn.rnn_cell

# What TensorFlow 2.21.0 (compat.v1 with tf_keras 2.21.0, float64) gives for the network of `network` below: the loss, its
# gradient by x, and the sum of each gradient by a variable times cos(0), cos(1), ... in the order of trainable variables.
TENSORFLOW = {
    "BasicRNNCell": (
        4.13154821046068,
        [0.4333072916609664, 1.510459471746665, -0.6366897357276754, -0.5375562969599017, 0.1188206443911235]
        + [
            0.5707281218132478,
            0.4621080836626468,
            1.260071224464326,
            -0.49860146460284765,
            -0.3903117832218629,
            0,
            0,
        ],
        {
            "n/rnn/basic_rnn_cell/kernel:0": -0.9468062668257502,
            "n/rnn/basic_rnn_cell/bias:0": 2.598725057026448,
        },
    ),
    "LSTMCell": (
        0.22654368584324439,
        [
            0.06002003415784016,
            0.265179633799808,
            -0.02621419031893494,
            0.029612493967668758,
            -0.028540913506291458,
        ]
        + [
            0.0761160819315999,
            0.14887335190377463,
            0.22568201013280814,
            0.00970187939196015,
            0.004349371592513458,
            0,
            0,
        ],
        {"n/rnn/lstm_cell/kernel:0": 0.2437543502118638, "n/rnn/lstm_cell/bias:0": 0.6314985927623905},
    ),
    "GRUCell": (
        0.12767804576769184,
        [
            -0.02692187306317548,
            0.04513550819361106,
            -0.1998269806309298,
            -0.08863486599737568,
            -0.07313637390063334,
        ]
        + [
            0.017288244390937256,
            0.0007173384965520491,
            0.0032414841752288854,
            -0.0493450375038271,
            -0.019709412968115184,
        ]
        + [0, 0],
        {
            "n/rnn/gru_cell/gates/kernel:0": 0.04927227774810432,
            "n/rnn/gru_cell/gates/bias:0": 0.13287627732556162,
            "n/rnn/gru_cell/candidate/kernel:0": -0.1482238150742923,
            "n/rnn/gru_cell/candidate/bias:0": -0.12207356832318736,
        },
    ),
}
INPUT = np.cos(np.arange(12.0)).reshape(2, 3, 2)
LENGTHS = [3, 2]


def sines(shape, dtype=None, partition_info=None):
    return tf.reshape(tf.sin(tf.constant(np.arange(float(np.prod(shape))))), shape)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("name", TENSORFLOW)
def test_dynamic_rnn_is_tensorflows(session, name, jit):
    loss, by_x, by_variables = TENSORFLOW[name]
    x = tf.placeholder(tf.float64, [2, 3, 2])
    with tf.variable_scope("n", initializer=sines, dtype=tf.float64):
        y, _ = tf.nn.dynamic_rnn(getattr(cells, name)(2), x, sequence_length=LENGTHS, dtype=tf.float64)
    total = tf.reduce_sum(y * y)
    variables = tf.trainable_variables()
    assert [v.name for v in variables] == list(by_variables)
    session.run(tf.global_variables_initializer())
    metadata = tf.RunMetadata()
    with px.disable_jit() if not jit else tf.name_scope(None):
        got = session.run([total, *tf.gradients(total, [x, *variables])], {x: INPUT}, run_metadata=metadata)
    assert metadata.captured is jit
    assert abs(got[0] - loss) < 1e-12
    np.testing.assert_allclose(got[1].ravel(), by_x, rtol=0, atol=1e-12)
    for gradient, wanted in zip(got[2:], by_variables.values()):
        weights = np.cos(np.arange(gradient.size).reshape(gradient.shape))
        assert abs((gradient * weights).sum() - wanted) < 1e-11


def outputs_of(session, tensors, feed=None):
    session.run(tf.global_variables_initializer())
    return session.run(tensors, feed)


def test_all_networks_agree(session):
    """One cell in a loop, written out, steered by a function, and with time in front."""
    cell = cells.LSTMCell(4)
    x = tf.constant(INPUT.astype(np.float32))
    lengths = tf.constant(LENGTHS)
    dynamic, dynamic_state = tf.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
    written, written_state = tf.nn.static_rnn(
        cell, tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=lengths
    )
    turned, turned_state = tf.nn.dynamic_rnn(
        cell, tf.transpose(x, [1, 0, 2]), lengths, dtype=tf.float32, time_major=True
    )
    steps = tf.TensorArray(tf.float32, 3).unstack(tf.transpose(x, [1, 0, 2]))

    def steer(time, output, state, loop_state):
        finished = time >= lengths
        state = cell.zero_state(2, tf.float32) if output is None else state
        step = tf.cond(tf.reduce_all(finished), lambda: tf.zeros([2, 2]), lambda: steps.read(time))
        return finished, step, state, output, (loop_state + 1 if loop_state is not None else tf.constant(0))

    emitted, raw_state, turns = tf.nn.raw_rnn(cell, steer)
    raw = tf.transpose(emitted.stack(), [1, 0, 2])
    both = [dynamic, tf.stack(written, 1), tf.transpose(turned, [1, 0, 2]), raw]
    got = outputs_of(session, [both, [dynamic_state, written_state, turned_state, raw_state], turns])
    for other in got[0][1:]:
        np.testing.assert_allclose(other, got[0][0], rtol=1e-6)
    assert not got[0][0][1, 2].any() and got[0][0][1, 1].all() and got[2] == 3
    for state in got[1]:
        assert isinstance(state, cells.LSTMStateTuple)
        np.testing.assert_allclose(state.h, [got[0][0][0, 2], got[0][0][1, 1]], rtol=1e-6)
    assert len(tf.global_variables()) == 2  # one cell, whatever runs it


def test_raw_rnn_without_output_decides_its_length(session):
    """What comes out is the next input, until it is large enough."""
    cell = cells.BasicRNNCell(1, activation=lambda v: v)

    def steer(time, output, state, loop_state):
        if output is None:
            return tf.zeros([1], tf.bool), tf.ones([1, 1]), cell.zero_state(1, tf.float32), None, None
        return tf.reduce_sum(output, 1) > 20, output, state, None, None

    with tf.variable_scope("r", initializer=tf.ones_initializer()):
        emitted, state, loop_state = tf.nn.raw_rnn(cell, steer)
    assert loop_state is None
    got, last = outputs_of(session, [emitted.stack(), state])
    assert got.ravel().tolist() == [1, 2, 4, 8, 16, 32] and last.tolist() == [[32]]


def test_bidirectional(session):
    x = tf.constant(INPUT.astype(np.float32))
    forward, backward = cells.GRUCell(3), cells.GRUCell(3)
    outputs, states = tf.nn.bidirectional_dynamic_rnn(forward, backward, x, LENGTHS, dtype=tf.float32)
    names = {v.name.split("/gru_cell")[0] for v in tf.global_variables()}
    assert names == {"bidirectional_rnn/fw/rnn", "bidirectional_rnn/bw/rnn"} or names == {
        "bidirectional_rnn/fw",
        "bidirectional_rnn/bw",
    }
    turned = tf.constant(np.stack([INPUT[0, ::-1], INPUT[1][[1, 0, 2]]]).astype(np.float32))
    alone, _ = tf.nn.dynamic_rnn(backward, turned, LENGTHS, dtype=tf.float32)
    both, own, last = outputs_of(session, [outputs, alone, states])
    np.testing.assert_allclose(both[1][0], own[0, ::-1], rtol=1e-6)
    np.testing.assert_allclose(both[1][1, :2], own[1, 1::-1], rtol=1e-6)
    np.testing.assert_allclose(last[1], [both[1][0, 0], both[1][1, 0]], rtol=1e-6)
    plain, _ = tf.nn.bidirectional_dynamic_rnn(forward, backward, x, dtype=tf.float32)
    assert session.run(plain[1]).shape == (2, 3, 3)


def test_cells_on_top_of_each_other(session):
    stack = cells.MultiRNNCell([cells.LSTMCell(3), cells.ResidualWrapper(cells.BasicRNNCell(3))])
    assert stack.state_size == ((3, 3), 3) and stack.output_size == 3
    x = tf.placeholder(tf.float32, [None, None, 2])
    y, (lstm, basic) = tf.nn.dynamic_rnn(stack, x, dtype=tf.float32)
    assert y.shape.as_list() == [None, None, 3]
    names = [v.name for v in tf.global_variables()]
    assert names[0] == "rnn/multi_rnn_cell/cell_0/lstm_cell/kernel:0"
    assert names[2] == "rnn/multi_rnn_cell/cell_1/basic_rnn_cell/kernel:0"
    got, state, last = outputs_of(session, [y, lstm, basic], {x: INPUT})
    np.testing.assert_allclose(got[:, -1], state.h + last, rtol=1e-5)
    gradients = tf.gradients(tf.reduce_sum(y), tf.trainable_variables())
    assert all(np.abs(g).sum() > 0 for g in session.run(gradients, {x: INPUT}))
    with pytest.raises(px.errors.ValueError, match="given twice"):
        cell = cells.GRUCell(2)
        cells.MultiRNNCell([cell, cell])
    with pytest.raises(px.errors.ValueError, match="no cells"):
        cells.MultiRNNCell([])


def test_lstm_with_everything(session):
    cell = cells.LSTMCell(
        4, use_peepholes=True, cell_clip=0.5, num_proj=2, proj_clip=0.1, state_is_tuple=False
    )
    assert cell.state_size == 6 and cell.output_size == 2
    y, state = tf.nn.dynamic_rnn(cell, tf.constant(10 * INPUT.astype(np.float32)), dtype=tf.float32)
    got, last = outputs_of(session, [y, state])
    assert got.shape == (2, 3, 2) and abs(got).max() <= 0.1 and abs(last[:, :4]).max() <= 0.5
    assert [v.name.split("/")[-1] for v in cell.weights] == ["kernel:0", "bias:0"] + [
        "w_f_diag:0",
        "w_i_diag:0",
        "w_o_diag:0",
        "kernel:0",
    ]
    assert cell.trainable_weights == cell.weights and cells.BasicLSTMCell(3).name == "basic_lstm_cell"


def test_dropout_wrapper(session):
    x = tf.ones([4, 10, 8])
    keep = tf.placeholder(tf.float32, [])
    cell = cells.DropoutWrapper(cells.BasicRNNCell(50), output_keep_prob=keep)
    y, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    zeros = tf.reduce_mean(tf.cast(tf.equal(y, 0), tf.float32))
    session.run(tf.global_variables_initializer())
    assert session.run(zeros, {keep: 1.0}) == 0
    assert 0.2 < session.run(zeros, {keep: 0.7}) < 0.4
    same = cells.DropoutWrapper(
        cells.LSTMCell(50), 0.5, 0.5, 0.5, variational_recurrent=True, input_size=8, dtype=tf.float32
    )
    y, _ = tf.nn.dynamic_rnn(same, x, dtype=tf.float32)
    value = outputs_of(session, y)
    assert ((value == 0) == (value[:1, :1] == 0)).all() and 0 < (value == 0).mean() < 1
    with pytest.raises(px.errors.ValueError, match=r"output_keep_prob is 0"):
        cells.DropoutWrapper(cells.GRUCell(2), output_keep_prob=0)
    with pytest.raises(px.errors.ValueError, match="needs dtype and input_size"):
        cells.DropoutWrapper(cells.GRUCell(2), 0.5, variational_recurrent=True)


def test_a_cell_of_ones_own(session):
    class Counter(cells.RNNCell):
        state_size = output_size = 1

        def __call__(self, inputs, state, scope=None):
            w = tf.get_variable("w", [], initializer=tf.constant_initializer(2.0))
            new = state + w * tf.reduce_sum(inputs, 1, keepdims=True)
            return new, new

    x = tf.constant(np.ones((1, 3, 2), np.float32))
    y, state = tf.nn.dynamic_rnn(Counter(), x, dtype=tf.float32)
    with tf.variable_scope("again"):
        outputs, _ = tf.nn.static_rnn(Counter(), tf.unstack(x, axis=1), initial_state=tf.constant([[100.0]]))
    got, last, more = outputs_of(session, [y, state, outputs])
    assert got.ravel().tolist() == [4, 8, 12] and last == [[12]]
    assert [m.item() for m in more] == [104, 108, 112]


def test_mistakes():
    x = tf.placeholder(tf.float32, [None, None, 2])
    with pytest.raises(px.errors.ValueError, match="needs dtype or initial_state"):
        tf.nn.dynamic_rnn(cells.GRUCell(2), x)
    with pytest.raises(px.errors.ValueError, match="last size of the input"):
        tf.nn.dynamic_rnn(cells.GRUCell(2), tf.placeholder(tf.float32, [None, 3, None]), dtype=tf.float32)
    with pytest.raises(px.errors.TypeError, match="takes a list of inputs"):
        tf.nn.static_rnn(cells.GRUCell(2), x, dtype=tf.float32)
    with pytest.raises(px.errors.ValueError, match="number of dimensions"):
        tf.nn.dynamic_rnn(cells.GRUCell(2), tf.placeholder(tf.float32), dtype=tf.float32)
