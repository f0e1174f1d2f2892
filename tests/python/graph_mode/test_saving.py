"""Checkpoints, graphs as data, saved models."""

# shard: graph
import json
import os

import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_save_and_restore(tmp_path):
    w, count = tf.Variable([1.0, 2.0], name="w"), tf.Variable(3, name="count")
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = saver.save(session, str(tmp_path / "model"), global_step=7)
        assert path == str(tmp_path / "model-7")
        session.run([w.assign([9.0, 9.0]), count.assign(0)])
        saver.restore(session, path)
        assert session.run(w).tolist() == [1, 2] and session.run(count) == 3
    with tf.Session() as session:
        saver.restore(session, tf.train.latest_checkpoint(str(tmp_path)))
        assert session.run(w).tolist() == [1, 2]
    assert px.load(f"{path}.safetensors")["w"].tolist() == [1, 2]
    assert tf.train.list_variables(str(tmp_path)) == [("count", []), ("w", [2])]
    assert tf.train.load_variable(path, "w").tolist() == [1, 2]
    assert tf.train.checkpoint_exists(path) and not tf.train.checkpoint_exists(path + "0")


def test_old_checkpoints_go(tmp_path):
    w = tf.Variable(1.0)
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as session:
        session.run(w.initializer)
        for step in range(4):
            saver.save(session, str(tmp_path / "m"), global_step=tf.constant(step))
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert [os.path.basename(p) for p in state.all_model_checkpoint_paths] == ["m-2", "m-3"]
    assert state.model_checkpoint_path == saver.last_checkpoints[-1] == str(tmp_path / "m-3")
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == ["m-2.safetensors", "m-3.safetensors"]
    again = tf.train.Saver()
    again.recover_last_checkpoints([str(tmp_path / "m-1"), *state.all_model_checkpoint_paths])
    assert len(again.last_checkpoints) == 2
    assert tf.train.get_checkpoint_state(str(tmp_path / "none")) is None
    assert tf.train.latest_checkpoint(str(tmp_path / "none")) is None


def test_what_savers_refuse(tmp_path):
    with pytest.raises(px.errors.ValueError, match="no variables to save"):
        tf.train.Saver()
    w = tf.Variable([1.0, 2.0], name="w")
    with tf.Session() as session:
        saver = tf.train.Saver()
        with pytest.raises(tf.errors.FailedPreconditionError, match='"w" has no value'):
            saver.save(session, str(tmp_path / "m"))
        session.run(w.initializer)
        with pytest.raises(FileNotFoundError, match="does not exist"):
            saver.save(session, str(tmp_path / "none" / "m"))
        path = saver.save(session, str(tmp_path / "m"))
        with pytest.raises(tf.errors.NotFoundError, match="no checkpoint"):
            saver.restore(session, str(tmp_path / "other"))
        with pytest.raises(tf.errors.NotFoundError, match='"v" is not in the checkpoint'):
            tf.train.Saver({"w": w, "v": w}).restore(session, path)
        with pytest.raises(tf.errors.NotFoundError, match="is not in"):
            tf.train.load_variable(path, "v")
        other = tf.Variable(tf.zeros([2, 1]), name="other")
        with pytest.raises(px.ShapeError, match=r"\(2, 1\), and the checkpoint \[2\]"):
            tf.train.Saver({"w": other}).restore(session, path)
        tf.train.Saver({"w": other}, reshape=True).restore(session, path)
        assert session.run(other).tolist() == [[1], [2]]
        with pytest.raises(px.errors.TypeError, match="saves variables"):
            tf.train.Saver([tf.constant(1.0)])


def train_graph():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 1], initializer=tf.ones_initializer())
    _, y = tf.while_loop(
        lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(h + tf.matmul(x, w))), [0, tf.matmul(x, w)]
    )
    loss = tf.reduce_mean(tf.square(tf.identity(y, name="y")), name="loss")
    train = tf.train.AdamOptimizer(0.1).minimize(
        loss, global_step=tf.train.get_or_create_global_step(), name="train"
    )
    tf.add_to_collection("train_op", train)
    tf.add_to_collection("notes", "text")


def test_meta_graphs_train_on(tmp_path):
    """A graph with a loop, gradients and an optimizer goes on in a program that does not know how it was written."""
    feed = {"x:0": [[1, 2, 3]]}
    train_graph()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run("train", feed)
        path = tf.train.Saver().save(session, str(tmp_path / "m"))
        session.run("train", feed)
        wanted = session.run(["w:0", "loss:0", "global_step:0"], feed)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(session, path)
        assert tf.get_collection("notes") == ["text"]
        assert [v.name for v in tf.trainable_variables()] == ["w:0"]
        assert len(tf.global_variables()) == 6 and tf.train.get_global_step().name == "global_step:0"
        session.run(tf.get_collection("train_op")[0], feed)
        got = session.run(["w:0", "loss:0", "global_step:0"], feed)
        for one, other in zip(got, wanted):
            np.testing.assert_array_equal(one, other)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(path + ".meta", import_scope="old")
        saver.restore(session, path)
        assert session.run("old/loss:0", {"old/x:0": [[1, 2, 3]]}) > 0
        assert tf.global_variables()[0].name == "old/w:0"


def test_export_meta_graph(tmp_path):
    x = tf.constant(1.0, name="x")
    with tf.device("/cpu:0"):
        tf.identity(x, name="y")
    tf.add_to_collection("tensors", x)
    meta = tf.train.export_meta_graph(str(tmp_path / "graph.meta"), clear_devices=True)
    assert [n.name for n in meta.graph_def.node] == ["x", "y"] and meta.graph_def.node[1].device == ""
    assert json.loads((tmp_path / "graph.meta").read_text())["format"] == "phlox.meta_graph/1"
    with tf.Graph().as_default():
        assert tf.train.import_meta_graph(meta) is None
        assert tf.get_collection("tensors")[0].name == "x:0"
    tf.add_to_collection("objects", object())
    with pytest.warns(UserWarning, match='the collection "objects"'):
        tf.train.export_meta_graph()
    for text, message in (
        ("{", "not JSON"),
        ("[]", "not a meta graph"),
        ('{"format": "phlox.meta_graph/1"}', "malformed"),
    ):
        (tmp_path / "bad.meta").write_text(text)
        with pytest.raises(px.errors.FormatError, match=message):
            tf.train.import_meta_graph(str(tmp_path / "bad.meta"))
    with pytest.raises(tf.errors.NotFoundError):
        tf.train.import_meta_graph(str(tmp_path / "none.meta"))


def test_graph_def(tmp_path):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.add(x[:, ::-1], np.array([1.0, np.inf], np.float32), name="y")
    with tf.control_dependencies([y]):
        tf.no_op(name="done")
    definition = tf.get_default_graph().as_graph_def()
    node = definition.node[-1]
    assert (node.name, node.op, node.input) == ("done", "NoOp", ["^y"])
    read = tf.GraphDef()
    assert read.ParseFromString(definition.SerializeToString()) > 0 and read == definition
    with tf.Graph().as_default() as graph:
        z = tf.constant([[5.0, 6.0]])
        found = tf.import_graph_def(read, input_map={"x": z}, return_elements=["y:0", "done"])
        assert [f.name for f in found] == ["import/y:0", "import/done"]
        with tf.Session() as session:
            assert session.run(found[0]).tolist() == [[7, np.inf]]
        assert tf.import_graph_def(read, name="") is None
        assert graph.get_tensor_by_name("x:0").shape.as_list() == [None, 2]
        with pytest.raises(px.errors.ValueError, match='names "q:0"'):
            tf.import_graph_def(read, input_map={"q:0": z})
        with pytest.raises(px.errors.ValueError, match='names "q"'):
            tf.import_graph_def(read, return_elements=["q"])
    path = tf.train.write_graph(tf.get_default_graph(), str(tmp_path), "graph.json")
    assert tf.GraphDef.FromString(open(path).read()) == definition


def test_graphs_from_others_run_no_code():
    tf.identity(tf.constant(1.0), name="y")
    data = tf.get_default_graph().as_graph_def().to_data()

    def changed(**entries):
        return tf.GraphDef.from_data({**data, "node": [data["node"][0], {**data["node"][1], **entries}]})

    refused = [
        ({"kind": "os.system"}, '"os.system" that is not known'),
        ({"kind": "phlox._trace"}, "not known"),
        ({"kind": "phlox.Tensor"}, "not known"),
        ({"input": ["other:0"]}, "before it is made"),
        ({"args": [{"eval": "1"}]}, 'the kind "eval"'),
        ({"args": [{"input": 7}]}, "malformed"),
        ({"outputs": []}, "has 0 outputs"),
        ({"outputs": [["float33", []]]}, '"float33"'),
        ({"args": 3}, "malformed"),
        ({"attr": {"value": {"tensor": "AAA", "dtype": "float32", "shape": [2]}}}, "malformed|bytes"),
    ]
    for entries, message in refused:
        with tf.Graph().as_default(), pytest.raises(px.PhloxError, match=message):
            tf.import_graph_def(changed(**entries))
    with pytest.raises(px.errors.FormatError, match="phlox.graph_mode/1"):
        tf.GraphDef.FromString(b"{}")
    with pytest.raises(px.errors.TypeError, match="takes a GraphDef"):
        tf.import_graph_def(data)


def test_python_functions_are_not_written():
    y = tf.py_func(np.sin, [tf.constant(1.0)], tf.float32)
    definition = tf.get_default_graph().as_graph_def()
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(definition, name="")
        with pytest.raises(px.GraphError, match="which files do not hold"):
            session.run(y.name)


def test_saved_models(tmp_path):
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.Variable([[1.0], [2.0]], name="w")
    table = tf.Variable(0.0, name="table", collections=[tf.GraphKeys.LOCAL_VARIABLES], trainable=False)
    y = tf.add(tf.matmul(x, w), table, name="y")
    folder = str(tmp_path / "model")
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        session.run(w.assign([[3.0], [4.0]]))
        tf.saved_model.simple_save(
            session, folder, {"x": x}, {"y": y}, legacy_init_op=tf.group(table.assign(100.0))
        )
        with pytest.raises(px.errors.FileError, match="not empty"):
            tf.saved_model.simple_save(session, folder, {"x": x}, {"y": y})
    assert tf.saved_model.loader.maybe_saved_model_directory(folder)
    assert sorted(os.listdir(folder)) == ["saved_model.json", "variables"]
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        meta = tf.saved_model.loader.load(session, [tf.saved_model.tag_constants.SERVING], folder)
        signature = meta.signature_def["serving_default"]
        assert signature.inputs["x"].tensor_shape == [None, 2] and signature.outputs["y"].dtype == "float32"
        got = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: [[1, 1]]})
        assert got.tolist() == [[107]]
        with pytest.raises(px.errors.ValueError, match="the tags \\['serve'\\]"):
            tf.saved_model.loader.load(session, ["train"], folder)
        with pytest.raises(tf.errors.NotFoundError, match="no saved model"):
            tf.saved_model.loader.load(session, ["serve"], str(tmp_path))
