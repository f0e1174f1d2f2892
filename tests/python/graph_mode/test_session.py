"""Sessions: feeding, fetching, pruning, capturing, and what goes wrong."""

# shard: graph
import collections

import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_structures_of_fetches(session):
    x = tf.constant([1.0, 2.0])
    Pair = collections.namedtuple("Pair", "first second")
    got = session.run({"a": x, "b": [x * 2, (x.op, "Const:0")], "c": Pair(x, x + 1)})
    assert got["a"].tolist() == [1, 2] and got["b"][0].tolist() == [2, 4]
    assert got["b"][1][0] is None and got["b"][1][1].tolist() == [1, 2]
    assert isinstance(got["c"], Pair) and got["c"].second.tolist() == [2, 3]
    assert isinstance(session.run(tf.reduce_sum(x)), np.float32)
    assert session.run([]) == []
    with pytest.raises(px.errors.TypeError, match="None cannot be fetched"):
        session.run(None)


def test_any_tensor_can_be_fed(session):
    x = tf.placeholder(tf.float32, [None], name="x")
    y = x * 2
    z = tf.reduce_sum(y + 1)
    assert session.run(z, {x: [1, 2]}) == 8
    assert session.run(z, {y: [10, 20]}) == 32  # x is not needed
    assert session.run([y, z], {"x:0": [1], y: [5]})[1] == 6
    c = tf.constant(1.0)
    assert session.run(c + 1, {c: 5.0}) == 6
    w = tf.Variable(1.0)
    assert session.run(w * 2, {w: 4.0}) == 8  # has no value of its own


def test_only_what_is_needed_runs(session):
    counter = tf.Variable(0, name="counter")
    count = counter.assign_add(1)
    x = tf.constant(2.0)
    with tf.control_dependencies([count]):
        counted = tf.identity(x)
    session.run(counter.initializer)
    session.run([x * 2, x + 1])
    assert session.run(counter) == 0
    session.run(counted)
    assert session.run(counter) == 1
    session.run([counted, counted + 1, counted.op])
    assert session.run(counter) == 2  # once a run
    session.run(counted + 1, {counted: 1.0})
    assert session.run(counter) == 2  # cut off by what is fed


def test_what_may_not_be_fed(session):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = x * 2
    with pytest.raises(tf.errors.InvalidArgumentError, match='must feed a value for the placeholder "x"'):
        session.run(y)
    with pytest.raises(px.ShapeError, match=r"a value of the shape \(2,\) is fed for \"x:0\".*\(\?, 3\)"):
        session.run(y, {x: [1, 2]})
    with pytest.raises(px.errors.TypeError, match="is a tensor of a graph"):
        session.run(y, {x: y})
    with pytest.raises(px.errors.TypeError, match="not made of numbers"):
        session.run(y, {x: [["a", "b", "c"]]})
    with pytest.raises(px.errors.TypeError, match="fractions"):
        session.run(tf.placeholder(tf.int32, []) + 1, {"Placeholder:0": 1.5})
    with pytest.raises(px.errors.TypeError, match="is not a tensor"):
        session.run(y, {3: 1})


def test_programs_are_captured_once_for_each_shape(session):
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.reduce_sum(tf.exp(x), axis=1)
    metadata = tf.RunMetadata()
    a = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    first = session.run(y, {x: a}, run_metadata=metadata)
    assert metadata.captured and "reduce.sum" in str(metadata.graph)
    session.run(y, {x: a})
    session.run(y, {x: a[:2]})
    assert session.explain() == "[Sum:0]: 2 operations, captured 2 times"
    with px.disable_jit():
        eager = session.run(y, {x: a}, run_metadata=metadata)
    assert not metadata.captured and metadata.why_eager
    assert np.array_equal(first, eager)
    np.testing.assert_allclose(first, np.exp(a).sum(1), rtol=1e-6)


def test_times_of_operations(session):
    y = tf.exp(tf.constant(1.0), name="y")
    metadata = tf.RunMetadata()
    session.run(y, options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=metadata)
    assert set(metadata.step_stats) == {"Const", "y"} and min(metadata.step_stats.values()) > 0
    with pytest.raises(px.errors.TypeError, match="no setting trace"):
        tf.RunOptions(trace=1)


def test_config():
    config = tf.ConfigProto(log_device_placement=False, device_count={"GPU": 0})
    config.gpu_options.allow_growth = True
    assert "allow_soft_placement=False" in repr(config)
    before = px.get_num_threads()
    try:
        tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1))
        assert px.get_num_threads() == 1
    finally:
        px.set_num_threads(before)
    with pytest.raises(px.NotSupportedError, match="another machine"):
        tf.Session("grpc://host:2222")


def test_default_sessions():
    x = tf.constant(3.0)
    with pytest.raises(px.StateError, match="no default session"):
        x.eval()
    with tf.Session() as session:
        assert tf.get_default_session() is session
        assert x.eval() == 3 and x.op.run() is None
    with pytest.raises(px.StateError, match="closed"):
        session.run(x)
    kept = tf.Session()
    with kept.as_default():
        assert x.eval({x: 4.0}) == 4
    assert kept.run(x) == 3
    interactive = tf.InteractiveSession()
    assert x.eval() == 3 and tf.get_default_session() is interactive
    interactive.close()
    assert tf.get_default_session() is None


def test_make_callable(session):
    x, y = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    f = session.make_callable([x + y, x * y], [x, y])
    assert f(3, 4) == [7, 12] and f(1, 2) == [3, 2]
    with pytest.raises(px.errors.TypeError, match="takes 2 values"):
        f(1)


def test_partial_run(session):
    calls = []
    a, b, c = (tf.placeholder(tf.float32, []) for _ in range(3))
    r1 = tf.py_func(lambda v: calls.append(v) or np.float32(v + 1), [a + b], tf.float32)
    r2 = r1 * c
    handle = session.partial_run_setup([r1, r2], [a, b, c])
    assert session.partial_run(handle, r1, {a: 1, b: 2}) == 4
    assert session.partial_run(handle, r2, {c: 10}) == 40
    assert calls == [3]  # once in the whole run
    with pytest.raises(px.errors.ValueError, match="fed already"):
        session.partial_run(handle, r2, {c: 1})
    other = session.partial_run_setup([r2], [a, b, c])
    with pytest.raises(px.errors.ValueError, match="needs Placeholder_1:0"):
        session.partial_run(other, r2, {a: 1, c: 2})
    with pytest.raises(px.errors.ValueError, match="no partial run"):
        session.partial_run("other", r2)


def test_errors_name_the_operation(session):
    x = tf.placeholder(tf.float32)
    y = tf.matmul(x, tf.ones([3, 2]), name="product")
    with pytest.raises(px.ShapeError) as error:
        session.run(y, {x: np.ones((2, 4))})
    assert 'node  "product", MatMul, written in test_session.py:' in str(error.value)
    assert "E0203" in str(error.value)


def test_sparse_placeholder(session):
    x = tf.sparse_placeholder(tf.float32, [None, 3])
    dense = tf.sparse_tensor_to_dense(x)
    y = tf.sparse_tensor_dense_matmul(x, tf.ones([3, 1]))
    value = tf.SparseTensorValue([[0, 1], [1, 2]], [2.0, 3.0], [2, 3])
    got = session.run([dense, y, x], {x: value})
    assert got[0].tolist() == [[0, 2, 0], [0, 0, 3]] and got[1].tolist() == [[2], [3]]
    assert got[2].values.tolist() == [2, 3] and isinstance(got[2], tf.SparseTensorValue)
    with pytest.raises(px.errors.ValueError, match="indices, values, dense_shape"):
        session.run(dense, {x: ([[0, 0]], [1.0])})


def test_random_numbers():
    tf.set_random_seed(1)
    x = tf.random_normal([1000])
    y = tf.random_uniform([1000], 2, 5, seed=7)
    z = tf.truncated_normal([1000], stddev=2.0)
    runs = []
    for _ in range(2):
        with tf.Session() as session:
            runs.append([session.run([x, y, z]), session.run([x, y, z])])
    for first, again in zip(runs[0], runs[1]):  # sessions repeat each other
        assert all(np.array_equal(a, b) for a, b in zip(first, again))
    (x1, y1, z1), (x2, _, _) = runs[0]
    assert not np.array_equal(x1, x2) and abs(x1.mean()) < 0.15
    assert 2 <= y1.min() and y1.max() < 5 and abs(z1).max() <= 4
    with px.disable_jit(), tf.Session() as session:
        assert np.array_equal(session.run(x), x1)


def test_values_that_decide_sizes_run_eagerly(session):
    n = tf.placeholder(tf.int32, [])
    x = tf.range(n) * 2
    metadata = tf.RunMetadata()
    assert session.run(x, {n: 3}, run_metadata=metadata).tolist() == [0, 2, 4]
    assert not metadata.captured and "E1001" in metadata.why_eager
    y = tf.placeholder(tf.float32, [None, 2])
    rows = tf.fill([tf.shape(y)[0], 2], 1.0) + y  # sizes alone can be captured
    session.run(rows, {y: np.zeros((3, 2))}, run_metadata=metadata)
    assert metadata.captured


def test_fetched_arrays_stay_as_they_are(session):
    w = tf.Variable([1.0, 2.0])
    session.run(w.initializer)
    before, view = session.run([w, tf.reshape(w, [2, 1])])
    session.run(w.assign([5.0, 6.0]))
    assert before.tolist() == [1, 2] and view.tolist() == [[1], [2]]


def test_placeholders_with_defaults(session):
    x = tf.placeholder_with_default(tf.constant([1.0, 2.0]), [None])
    assert x.shape.as_list() == [None] and session.run(x * 2).tolist() == [2, 4]
    assert session.run(x * 2, {x: [5.0]}).tolist() == [10]
    with pytest.raises(px.ShapeError, match="cannot be those of one tensor"):
        tf.placeholder_with_default(tf.constant([1.0, 2.0]), [3])


def test_fed_variables(session):
    """What is fed for a variable is what all see: gradients, and bodies of loops."""
    w = tf.Variable([1.0, 2.0])
    y = tf.reduce_sum(w * w)
    _, z = tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, a * w), [0, tf.ones([2])])
    tensors = [y, *tf.gradients(y, w), z, *tf.gradients(z, w), w]
    got = session.run(tensors, {w: [3.0, 4.0]})
    assert got[0] == 25 and [g.tolist() for g in got[1:]] == [[6, 8], [9, 16], [6, 8], [3, 4]]
    with px.disable_jit():
        assert session.run(tensors, {w: [3.0, 4.0]})[3].tolist() == [6, 8]
    session.run(w.initializer)
    assert session.run(w).tolist() == [1, 2]


def test_python_in_bodies_runs_each_time(session):
    counted = []
    flag = tf.placeholder(tf.bool, [])
    count = tf.py_func(lambda: np.float32(len(counted)), [], tf.float32)
    y = tf.cond(
        flag,
        lambda: tf.py_func(lambda: counted.append(1) or np.float32(len(counted)), [], tf.float32),
        lambda: 0.0,
    )
    assert [session.run(y, {flag: True}) for _ in range(3)] == [1, 2, 3]
    assert [session.run([count, y], {flag: False})[1], len(counted)] == [0, 3]


def test_sizes_that_depend_on_values_of_large_tensors():
    x = tf.placeholder(tf.float32, [100000, 784])
    rows = tf.boolean_mask(x, x[:, 0] > 0)
    assert rows.shape.as_list() == [None, 784] and rows.dtype is tf.float32
