"""Training sessions and hooks."""

# shard: graph
import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def counting_graph():
    step = tf.train.get_or_create_global_step()
    w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
    loss = tf.square(w - 3.0, name="loss")
    return w, loss, tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)


class Recorder(tf.train.SessionRunHook):
    def __init__(self, fetches=None, feed=None):
        self.seen, self.fetches, self.feed = [], fetches, feed

    def begin(self):
        self.seen.append("begin")

    def after_create_session(self, session, coord):
        self.seen.append("created")
        assert session.graph.finalized and not coord.should_stop()

    def before_run(self, context):
        assert isinstance(context.original_args, tf.train.SessionRunArgs) and context.session is not None
        return tf.train.SessionRunArgs(self.fetches, self.feed) if self.fetches is not None else None

    def after_run(self, context, values):
        self.seen.append(values.results)

    def end(self, session):
        self.seen.append("end")


def test_training_until_a_step(tmp_path, capsys):
    w, loss, train = counting_graph()
    tf.summary.scalar("loss", loss)
    log = tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=10, at_end=True)
    final = tf.train.FinalOpsHook(w)
    recorder = Recorder(loss)
    hooks = [tf.train.StopAtStepHook(last_step=25), log, final, recorder, tf.train.NanTensorHook(loss)]
    runs = 0
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=str(tmp_path), hooks=hooks, save_checkpoint_steps=10, save_summaries_steps=5
    ) as session:
        while not session.should_stop():
            session.run(train)
            runs += 1
    assert runs == 25 and recorder.seen[:2] == ["begin", "created"] and recorder.seen[-1] == "end"
    assert len(recorder.seen) == 28 and recorder.seen[2] == 9
    assert capsys.readouterr().err.startswith("loss = 9.0\n") and final.final_ops_values > 2.9
    steps = sorted(int(p.stem.split("-")[1]) for p in tmp_path.glob("*.safetensors"))
    assert steps == [0, 10, 20, 25]
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_training_goes_on_where_it_was(tmp_path):
    for last, first in ((5, 0), (8, 5)):
        with tf.Graph().as_default():
            w, _, train = counting_graph()
            step = tf.train.get_global_step()
            hooks = [tf.train.StopAtStepHook(last_step=last)]
            with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), hooks=hooks) as session:
                assert session.run(step) == first
                while not session.should_stop():
                    session.run(train)


def test_stop_after_so_many_steps():
    _, _, train = counting_graph()
    with tf.train.MonitoredTrainingSession(hooks=[tf.train.StopAtStepHook(num_steps=3)]) as session:
        runs = 0
        while not session.should_stop():
            session.run(train)
            runs += 1
    assert runs == 3
    with pytest.raises(px.errors.ValueError, match="one of num_steps and last_step"):
        tf.train.StopAtStepHook()


def test_the_end_of_the_data_is_no_error():
    item = tf.data.make_one_shot_iterator(tf.data.Dataset.range(3)).get_next()
    seen = []
    recorder = Recorder()
    with tf.train.MonitoredTrainingSession(hooks=[recorder]) as session:
        while not session.should_stop():
            seen.append(session.run(item))
    assert seen == [0, 1, 2] and recorder.seen[-1] == "end"


def test_errors_end_a_session_without_hooks():
    recorder = Recorder()
    with pytest.raises(KeyError), tf.train.MonitoredTrainingSession(hooks=[recorder]):
        raise KeyError
    assert "end" not in recorder.seen


def test_nan_ends_the_training():
    x = tf.placeholder(tf.float32, [], name="x")
    with tf.train.MonitoredTrainingSession(
        hooks=[tf.train.NanTensorHook(x, fail_on_nan_loss=False)]
    ) as session:
        session.run(x, {x: 1.0})
        assert not session.should_stop()
        session.run(x, {x: np.nan})
        assert session.should_stop()
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [], name="x")
        with (
            pytest.raises(tf.train.NanLossDuringTrainingError, match='"x:0" is NaN'),
            tf.train.MonitoredTrainingSession(hooks=[tf.train.NanTensorHook(x)]) as session,
        ):
            session.run(x, {x: np.nan})


def test_hooks_may_feed():
    x = tf.placeholder(tf.float32, [])
    y = x * 2
    hook = Recorder(y, {x: 5.0})
    with tf.train.MonitoredTrainingSession(hooks=[hook]) as session:
        assert session.run(y) == 10 and hook.seen[-1] == 10
        with pytest.raises(px.errors.ValueError, match="two feed"):
            session.run(y, {x: 1.0})


def test_scaffold(tmp_path):
    w, _, train = counting_graph()
    began = []
    scaffold = tf.train.Scaffold(init_fn=lambda s, session: began.append(session.run(w)))
    with tf.train.MonitoredTrainingSession(scaffold=scaffold) as session:
        with pytest.raises(px.GraphError, match="finalized"):
            tf.constant(1.0)
        session.run(train)
    assert began == [0] and scaffold.saver is not None
    with pytest.raises(px.StateError, match="closed"):
        session.run(train)


def test_queues_run_in_training_sessions():
    queue = tf.FIFOQueue(4, tf.float32, shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(tf.constant(2.0))]))
    item = queue.dequeue() * 10
    with tf.train.MonitoredTrainingSession() as session:
        assert [session.run(item) for _ in range(10)] == [20] * 10


def test_what_is_missing():
    tf.Variable(1.0)
    with pytest.raises(px.StateError, match="no global step"):
        tf.train.MonitoredTrainingSession(hooks=[tf.train.StopAtStepHook(last_step=1)])
    with pytest.raises(px.NotSupportedError, match="several machines"):
        tf.train.MonitoredTrainingSession("grpc://other")
    with pytest.raises(px.errors.ValueError, match="of steps and of seconds"):
        tf.train.LoggingTensorHook([], every_n_iter=None)


def test_steps_per_second(tmp_path):
    _, _, train = counting_graph()
    hook = tf.train.StepCounterHook(2, output_dir=str(tmp_path))
    with tf.train.MonitoredTrainingSession(hooks=[hook, tf.train.StopAtStepHook(last_step=5)]) as session:
        while not session.should_stop():
            session.run(train)
    assert hook.last_rate > 0
