"""Variables: values that sessions keep, scopes that share them."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_values_belong_to_the_session():
    w = tf.Variable(tf.zeros([2]), name="w")
    assert (w.name, w.op.name, w.dtype, w.shape.as_list()) == ("w:0", "w", tf.float32, [2])
    with tf.Session() as one, tf.Session() as other:
        for session in (one, other):
            session.run(tf.global_variables_initializer())
        one.run(tf.assign(w, [1.0, 2.0]))
        assert one.run(w).tolist() == [1, 2] and other.run(w).tolist() == [0, 0]
        assert one.run(tf.assign_add(w, [1.0, 1.0])).tolist() == [2, 3]
        assert one.run(tf.assign_sub(w, [2.0, 2.0])).tolist() == [0, 1]
        w.load([7.0, 8.0], one)
        assert one.run(w.read_value()).tolist() == [7, 8]


def test_uninitialized(session):
    w = tf.Variable(1.0, name="w")
    with pytest.raises(tf.errors.FailedPreconditionError, match='uninitialized variable "w"') as error:
        session.run(w)
    assert isinstance(error.value, px.StateError) and "global_variables_initializer" in str(error.value)
    assert not session.run(tf.is_variable_initialized(w))
    assert session.run(w.initialized_value()) == 1
    session.run(w.initializer)
    assert session.run(tf.is_variable_initialized(w))


def test_initial_values_of_each_other(session):
    a = tf.Variable(tf.random_normal([3]))
    b = tf.Variable(a.initialized_value() * 2)
    session.run(tf.global_variables_initializer())
    first, second = session.run([a, b])
    assert np.array_equal(first * 2, second)


def test_order_of_assignments(session):
    v = tf.Variable(1.0)
    session.run(v.initializer)
    change = v.assign_add(10.0)
    with tf.control_dependencies([change]):
        after = v.read_value()
        doubled = v * 2
    assert session.run([after, doubled]) == [11, 22]
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    session.run(tf.global_variables_initializer())
    old_a, old_b = tf.identity(a), tf.identity(b)
    with tf.control_dependencies([old_a, old_b]):
        swap = tf.group(a.assign(old_b), b.assign(old_a))
    session.run(swap)
    assert session.run([a, b]) == [2, 1]
    with tf.control_dependencies([change]), tf.control_dependencies(None):
        free = tf.constant(1.0)
    assert free.op.control_inputs == ()


def test_wrong_assignments(session):
    w = tf.Variable(tf.zeros([2]), name="w")
    with pytest.raises(px.ShapeError, match="validate_shape"):
        tf.assign(w, tf.zeros([3]))
    with pytest.raises(px.errors.TypeError, match="float32 is needed"):
        tf.assign(w, tf.constant([1, 2]))
    session.run(w.initializer)
    x = tf.placeholder(tf.float32)
    with pytest.raises(px.ShapeError, match='"w"'):
        session.run(w.assign(x), {x: [1.0]})
    with pytest.raises(px.ShapeError, match="another shape"):
        session.run(w.assign_add(x), {x: [[1.0, 1.0], [1.0, 1.0]]})
    grown = tf.assign(w, tf.zeros([3]), validate_shape=False)
    assert session.run(grown).shape == (3,) and session.run(w).shape == (3,)
    with pytest.raises(px.errors.ValueError, match="needs an initial value"):
        tf.Variable()


def test_rows(session):
    w = tf.Variable(tf.zeros([3, 2]))
    session.run(w.initializer)
    session.run(tf.scatter_update(w, [1], [[5.0, 5.0]]))
    session.run(tf.scatter_add(w, [0, 0], [[1.0, 1.0], [1.0, 1.0]]))
    assert session.run(tf.scatter_sub(w, [2], [[1.0, 2.0]])).tolist() == [[2, 2], [5, 5], [-1, -2]]


def test_collections_of_variables():
    with tf.variable_scope("net"):
        w = tf.get_variable("w", [2])
        step = tf.get_variable("step", [], tf.int32, trainable=False)
    local = tf.Variable(0, collections=[tf.GraphKeys.LOCAL_VARIABLES], name="local")
    assert tf.global_variables() == [w, step] and tf.trainable_variables() == [w]
    assert tf.local_variables() == [local] and tf.global_variables("other") == []
    assert tf.global_variables("net/w") == [w]
    with tf.Session() as session:
        session.run(
            [tf.global_variables_initializer(), tf.local_variables_initializer(), tf.tables_initializer()]
        )
        assert session.run(local) == 0


def test_variable_scopes():
    with tf.variable_scope("a") as a:
        w = tf.get_variable("w", [2])
        y = tf.identity(w, name="y")
        with tf.variable_scope("b"):
            assert tf.get_variable_scope().name == "a/b"
            v = tf.get_variable("w", [3])
    assert (w.name, v.name, y.name) == ("a/w:0", "a/b/w:0", "a/y:0")
    with tf.variable_scope("a", reuse=True):
        assert tf.get_variable("w", [2]) is w
        with tf.variable_scope("b"):  # sharing holds for scopes inside
            assert tf.get_variable("w") is v
    with tf.variable_scope(a, reuse=tf.AUTO_REUSE):
        assert tf.get_variable("w") is w
        assert tf.get_variable("new", [1]).name == "a/new:0"
    with tf.variable_scope("c"), tf.variable_scope(a):
        assert tf.get_variable("other", [1]).name == "a/other:0"
    with tf.variable_scope(None, "unit"):
        first = tf.get_variable("w", [1])
    with tf.variable_scope(None, "unit"):
        second = tf.get_variable("w", [1])
    assert (first.name, second.name) == ("unit/w:0", "unit_1/w:0")
    with tf.variable_scope("a") as scope:
        scope.reuse_variables()
        assert tf.get_variable("w") is w
        assert scope.trainable_variables()[0] is w


def test_rules_of_sharing():
    with tf.variable_scope("a"):
        tf.get_variable("w", [2])
        with pytest.raises(px.errors.ValueError, match='"a/w" exists already'):
            tf.get_variable("w", [2])
    with tf.variable_scope("a", reuse=True):
        with pytest.raises(px.errors.ValueError, match='"a/v" does not exist'):
            tf.get_variable("v", [2])
        with pytest.raises(px.ShapeError, match="shared with the shape"):
            tf.get_variable("w", [3])
        with pytest.raises(px.DTypeError, match="shared as int32"):
            tf.get_variable("w", [2], tf.int32)
    with pytest.raises(px.errors.ValueError, match="must be known"):
        tf.get_variable("x")


def test_what_scopes_take_for_granted(session):
    with tf.variable_scope(
        "a",
        initializer=tf.constant_initializer(3.0),
        regularizer=lambda w: tf.reduce_sum(w * w),
        dtype=tf.float64,
    ):
        w = tf.get_variable("w", [2])
        v = tf.get_variable("v", initializer=tf.constant([1, 2]), dtype=tf.int32, regularizer=lambda w: None)
    assert w.dtype is tf.float64
    session.run(tf.global_variables_initializer())
    assert session.run(w).tolist() == [3, 3] and session.run(v).tolist() == [1, 2]
    (loss,) = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert session.run(loss) == 18


def test_custom_getter(session):
    def halved(getter, name, *args, **kwargs):
        return getter(name, *args, **kwargs) * 0.5

    with tf.variable_scope("a", custom_getter=halved):
        w = tf.get_variable("w", [2], initializer=tf.ones_initializer())
    session.run(tf.global_variables_initializer())
    assert session.run(w).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "initializer, low, high, deviation",
    [
        (tf.random_normal_initializer(1.0, 2.0, seed=1), -12, 12, 2.0),
        (tf.truncated_normal_initializer(0.0, 1.0, seed=1), -2, 2, 0.88),
        (tf.random_uniform_initializer(-1, 1, seed=1), -1, 1, 0.577),
        (tf.glorot_uniform_initializer(seed=1), -0.1733, 0.1733, 0.1),
        (tf.glorot_normal_initializer(seed=1), -0.23, 0.23, 0.1),
        (tf.initializers.he_normal(seed=1), -0.33, 0.33, 0.1414),
        (tf.variance_scaling_initializer(1.0, "fan_out", "untruncated_normal", seed=1), -1, 1, 0.1),
    ],
)
def test_initializers(session, initializer, low, high, deviation):
    w = tf.get_variable("w", [100, 100], initializer=initializer)
    session.run(w.initializer)
    value = session.run(w)
    assert low <= value.min() and value.max() <= high
    assert abs(value.std() - deviation) < 0.03 * max(1, deviation)


def test_variables_in_bodies(session):
    """Loops and branches may read and change variables, and read what an earlier turn wrote."""
    v = tf.Variable(1.0)
    session.run(v.initializer)

    def body(i):
        with tf.control_dependencies([v.assign(v * 2)]):
            return i + 1

    loop = tf.while_loop(lambda i: i < 3, body, [0])
    with tf.control_dependencies([loop]):
        after = v.read_value()
    assert session.run(after) == 8
    flag = tf.placeholder(tf.bool, [])
    change = tf.cond(flag, lambda: v.assign_add(100.0), lambda: v.assign_sub(1.0))
    assert session.run(change, {flag: True}) == 108 and session.run(change, {flag: False}) == 107
    assert session.run(v) == 107


def test_defaults_of_scopes_can_be_set(session):
    with tf.variable_scope("a") as scope:
        scope.set_initializer(tf.constant_initializer(2.0))
        scope.set_regularizer(tf.nn.l2_loss)
        w = tf.get_variable("w", [2])
    session.run(w.initializer)
    assert session.run([w, *tf.losses.get_regularization_losses()])[1] == 4
