"""Graphs: operations and their names, scopes, collections."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_names_are_tensorflows():
    x = tf.placeholder(tf.float32, [2, 2])
    assert (x.name, tf.constant(1.0).name) == ("Placeholder:0", "Const:0")
    made = [
        x + 1,
        x * 2,
        tf.matmul(x, x),
        tf.reduce_mean(x),
        tf.nn.relu(x),
        x > 0,
        tf.identity(x, name="y"),
        x[0],
    ]
    names = ["add", "mul", "MatMul", "Mean", "Relu", "Greater", "y", "strided_slice"]
    assert [t.op.name for t in made] == names
    assert [t.op.type for t in made[2:5]] == ["MatMul", "Mean", "Relu"]
    assert (x + 1).name == "add_1:0"
    assert tf.get_default_graph().get_tensor_by_name("MatMul:0") is made[2]
    assert tf.get_default_graph().get_operation_by_name("Relu") is made[4].op
    assert tf.get_default_graph().as_graph_element("Relu:0") is made[4]


def test_unknown_names_are_errors():
    graph = tf.get_default_graph()
    tf.constant(1.0, name="weights")
    with pytest.raises(px.errors.ValueError, match='"weight" is not an operation') as error:
        graph.get_operation_by_name("weight")
    assert 'try  "weights"' in str(error.value)
    with pytest.raises(px.errors.ValueError, match="has 1 outputs"):
        graph.get_tensor_by_name("weights:1")
    with pytest.raises(px.errors.ValueError, match='"weights:0"'):
        graph.get_tensor_by_name("weights")


def test_shapes_are_inferred_with_unknown_sizes():
    x = tf.placeholder(tf.float32, [None, 784])
    assert tf.reshape(x, [-1, 28, 28, 1]).shape.as_list() == [None, 28, 28, 1]
    assert tf.matmul(x, tf.zeros([784, 10])).shape.as_list() == [None, 10]
    assert tf.transpose(x).shape.as_list() == [784, None]
    assert tf.shape(x)[0].shape.as_list() == [] and tf.shape(x).dtype is tf.int32
    batch = tf.shape(x)[0]
    assert tf.zeros([batch, 5]).shape.as_list() == [None, 5]
    assert tf.reshape(x, tf.stack([batch, 28, 28])).shape.as_list() == [None, 28, 28]
    assert [t.shape.as_list() for t in tf.split(x, 2, axis=1)] == [[None, 392]] * 2
    unknown = tf.placeholder(tf.float32)
    assert unknown.shape.ndims is None and (unknown * 2).dtype is tf.float32
    assert tf.placeholder(tf.float32, [None]).shape.is_compatible_with([7])
    n = tf.placeholder(tf.int32, [])
    assert tf.fill([n, 3], 1.0).shape.as_list() == [None, 3]
    assert (x.shape[0].value, x.shape[1].value, int(x.get_shape()[1])) == (None, 784, 784)
    x.set_shape([32, None])
    assert x.shape == [32, 784] and str(x.shape) == "(32, 784)"
    with pytest.raises(px.ShapeError):
        x.set_shape([33, 784])


def test_mistakes_show_when_they_are_written():
    x = tf.placeholder(tf.float32, [None, 4])
    with pytest.raises(px.ShapeError, match="E0203") as error:
        tf.matmul(x, tf.zeros([3, 2]))
    assert "note  60 stands for sizes that are not known yet" in str(error.value)
    with pytest.raises(px.errors.TypeError, match="truth value"):
        if x > 0:
            pass
    with pytest.raises(px.errors.TypeError, match="iterated"):
        list(x)
    with pytest.raises(px.errors.TypeError, match="py_func"):
        np.asarray(x)
    with pytest.raises(AttributeError, match="did you mean reduce_mean"):
        tf.reduce_men(x)


def test_tensors_have_the_methods_of_phlox(session):
    x = tf.constant([[1.0, -2.0], [3.0, 4.0]])
    got = session.run(
        [x.sum(1), x.relu(), x.mean(), -x, abs(x), 2 - x, x**2, x @ x, x % 2, x.transpose(0, 1)]
    )
    a = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)
    wanted = [a.sum(1), a.clip(0), a.mean(), -a, abs(a), 2 - a, a**2, a @ a, a % 2, a.T]
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other)
    assert session.run((x > 0) & ~(x > 3)).tolist() == [[True, False], [True, False]]
    assert not hasattr(x, "no_such_method")


def test_name_scope():
    with tf.name_scope("layer") as scope:
        assert scope == "layer/"
        assert tf.constant(1.0, name="a").name == "layer/a:0"
        with tf.name_scope("inner"):
            assert tf.constant(1.0, name="a").name == "layer/inner/a:0"
    with tf.name_scope("layer") as again:
        assert again == "layer_1/"
    with tf.name_scope(scope):
        assert tf.constant(1.0, name="a").name == "layer/a_1:0"
    with tf.name_scope(None, "default"):
        assert tf.constant(1.0, name="b").name == "default/b:0"
    with pytest.raises(px.errors.ValueError, match="not a name"):
        tf.constant(1.0, name="no spaces")


def test_default_graphs():
    first = tf.get_default_graph()
    second = tf.Graph()
    with second.as_default() as current:
        assert tf.get_default_graph() is second is current
        y = tf.constant(1.0)
    assert tf.get_default_graph() is first and y.graph is second
    x = tf.constant(1.0)
    with pytest.raises(px.GraphError, match="not an element of this graph"):
        x + y
    with tf.Session() as session, pytest.raises(px.GraphError, match="of another graph") as error:
        session.run(y)
    assert error.value.code == "E1003" and "graph=x.graph" in str(error.value)
    with pytest.raises(px.GraphError, match="within the scope"):
        tf.reset_default_graph()


def test_reset_default_graph():
    import threading

    seen = []

    def work():  # a thread without scopes, which has the global graph
        graph = tf.get_default_graph()
        tf.reset_default_graph()
        seen.extend([graph, tf.get_default_graph()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] is not seen[1] and not seen[1].get_operations()


def test_finalized_graphs_stay_as_they_are():
    graph = tf.get_default_graph()
    x = tf.constant(1.0)
    graph.finalize()
    with pytest.raises(px.GraphError, match="finalized and cannot be modified"):
        x + 1
    with tf.Session() as session:
        assert session.run(x) == 1


def test_collections():
    tf.add_to_collection("mine", 1)
    with tf.name_scope("scope"):
        y = tf.constant(1.0, name="y")
    tf.add_to_collection("mine", y)
    assert tf.get_collection("mine") == [1, y]
    assert tf.get_collection("mine", scope="scope") == [y]
    tf.get_collection_ref("mine").clear()
    assert tf.get_collection("mine") == []
    graph = tf.get_default_graph()
    graph.add_to_collections([tf.GraphKeys.LOSSES, "mine"], y)
    assert tf.get_collection(tf.GraphKeys.LOSSES) == [y]
    assert set(graph.get_all_collection_keys()) == {"losses", "mine"}
    graph.clear_collection("mine")
    assert graph.get_collection("mine") == []


def test_devices():
    with tf.device("/cpu:0"):
        a = tf.constant(1.0)
        with tf.device("/gpu:0"):
            b = tf.constant(2.0)
        with tf.device(None):
            c = tf.constant(3.0)
        with tf.device(lambda op: "/gpu:1" if op.type == "MatMul" else ""):
            d = tf.matmul(tf.zeros([1, 1]), tf.zeros([1, 1]))
    with tf.colocate_with(b):
        e = tf.constant(4.0)
    assert [t.device for t in (a, b, c, d, e)] == ["/cpu:0", "/gpu:0", "", "/gpu:1", "/gpu:0"]
    with pytest.raises(px.DeviceError, match="not the name of a device"):
        tf.device("/tpu:0").__enter__()
    if not px.cuda.is_available():
        with tf.Session() as session, pytest.raises(px.DeviceError, match="/gpu:0"):
            session.run(e)
    config = tf.ConfigProto(allow_soft_placement=True)
    with tf.Session(config=config) as session:
        assert session.run(e) == 4


def test_gradients_that_are_named():
    @tf.RegisterGradient("TimesTen")
    def times_ten(op, grad):
        assert op.type == "Identity" and len(op.inputs) == len(op.outputs) == 1
        return 10 * grad * op.inputs[0]

    graph = tf.get_default_graph()
    x = tf.constant(3.0)
    with graph.gradient_override_map({"Identity": "TimesTen"}):
        y = tf.identity(x)
    z = tf.identity(x)
    with tf.Session() as session:
        assert session.run([y, *tf.gradients(y * 2, x), *tf.gradients(z * 2, x)]) == [3, 60, 2]
        second = tf.gradients(tf.gradients(y, x), x)
        assert session.run(second) == [10]
    with pytest.raises(px.errors.ValueError, match="registered already"):
        tf.RegisterGradient("TimesTen")(times_ten)
    with (
        pytest.raises(px.errors.ValueError, match="no gradient"),
        graph.gradient_override_map({"Relu": "Unknown"}),
    ):
        pass


def test_constants():
    with tf.Session() as session:
        assert tf.constant(1).dtype is tf.int32 and tf.constant(1.5).dtype is tf.float32
        assert tf.constant(np.arange(3.0)).dtype is tf.float64
        assert session.run(tf.constant(7, shape=[2, 2])).tolist() == [[7, 7], [7, 7]]
        assert session.run(tf.constant([1, 2, 3, 4], tf.float32, shape=[2, 2])).tolist() == [[1, 2], [3, 4]]
        assert session.run(tf.constant("text")) == b"text"
        assert session.run(tf.stack([tf.constant(1), 2])).tolist() == [1, 2]
        with pytest.raises(px.errors.TypeError, match="cast"):
            tf.constant(1.5, tf.int32)
        with pytest.raises(px.errors.TypeError, match="float32, int32 is needed"):
            tf.convert_to_tensor(tf.constant(1.0), tf.int32)


def test_there_are_only_graphs():
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    assert not tf.executing_eagerly() and isinstance(tf.constant(1.0) + 1, tf.Tensor)


def test_operations_tell_of_themselves():
    x = tf.placeholder(tf.float32, [2], name="x")
    y, z = x + 1, x * 2
    assert x.consumers() == [y.op, z.op] and y.op.inputs == (x,) and y.op.outputs == [y]
    assert x.op.get_attr("dtype") is tf.float32
    with pytest.raises(px.errors.ValueError, match='no attribute "shapes"'):
        x.op.get_attr("shapes")
