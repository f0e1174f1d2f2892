"""Queues, threads that fill them, data sets."""

# shard: graph
import threading
import time

import numpy as np
import phlox.graph_mode as tf
import pytest

import phlox as px


def test_fifo_queue(session):
    queue = tf.FIFOQueue(3, [tf.float32, tf.int32], shapes=[[2], []])
    x = tf.placeholder(tf.float32, [2])
    put = queue.enqueue([x * 2, 7])
    session.run(put, {x: [1, 2]})
    session.run(queue.enqueue_many([[[5.0, 5.0], [6.0, 6.0]], [1, 2]]))
    assert session.run(queue.size()) == 3
    a, b = queue.dequeue()
    assert a.shape.as_list() == [2] and [v.tolist() for v in session.run([a, b])] == [[2, 4], 7]
    c, d = queue.dequeue_many(2)
    assert c.shape.as_list() == [2, 2] and session.run(d).tolist() == [1, 2]
    session.run(queue.enqueue([[1.0, 1.0], 1]))
    assert not session.run(queue.is_closed())
    session.run(queue.close())
    assert session.run(queue.is_closed())
    assert session.run(queue.dequeue_up_to(5))[1].tolist() == [1]
    with pytest.raises(tf.errors.OutOfRangeError, match="closed and has 0 elements"):
        session.run([a, b])
    with pytest.raises(tf.errors.CancelledError, match="is closed"):
        session.run(put, {x: [1, 2]})


def test_what_queues_refuse(session):
    queue = tf.FIFOQueue(3, tf.float32, shapes=[[2]])
    with pytest.raises(px.errors.TypeError, match="float32 is needed"):
        queue.enqueue(tf.constant([1, 2]))
    with pytest.raises(px.ShapeError, match="for a queue of"):
        session.run(queue.enqueue([[1.0, 2.0, 3.0]]))
    with pytest.raises(px.errors.ValueError, match="2 tensors, not 1"):
        tf.FIFOQueue(3, [tf.float32, tf.float32]).enqueue(1.0)
    with pytest.raises(px.errors.ValueError, match="needs a queue with shapes"):
        tf.FIFOQueue(3, tf.float32).dequeue_many(2)
    named = tf.FIFOQueue(3, [tf.float32, tf.int32], names=["a", "b"])
    session.run(named.enqueue({"b": 1, "a": 2.0}))
    assert session.run(named.dequeue()) == {"a": 2.0, "b": 1}
    with pytest.raises(px.errors.ValueError, match="names are"):
        named.enqueue({"a": 2.0})


def test_a_full_queue_waits(session):
    queue = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    put, get = queue.enqueue(1), queue.dequeue()
    session.run(put)
    thread = threading.Thread(target=session.run, args=(put,))
    thread.start()
    time.sleep(0.02)
    assert thread.is_alive()
    session.run(get)
    thread.join(5)
    assert not thread.is_alive() and session.run(queue.size()) == 1


def test_random_shuffle_queue(session):
    queue = tf.RandomShuffleQueue(100, 5, tf.int32, shapes=[[]], seed=1)
    session.run(queue.enqueue_many(tf.range(20)))
    first = session.run(queue.dequeue_many(15)).tolist()
    assert sorted(first) != first and len(set(first)) == 15
    session.run(queue.close())  # what was kept back may be taken now
    rest = session.run(queue.dequeue_many(5)).tolist()
    assert sorted(first + rest) == list(range(20))


def test_padding_queue(session):
    queue = tf.PaddingFIFOQueue(10, tf.float32, shapes=[[None, 2]])
    x = tf.placeholder(tf.float32, [None, 2])
    put = queue.enqueue([x])
    for count in (1, 3):
        session.run(put, {x: np.ones((count, 2))})
    batch = queue.dequeue_many(2)
    assert batch.shape.as_list() == [2, None, 2]
    assert session.run(batch).sum(2).tolist() == [[2, 0, 0], [2, 2, 2]]


def test_queue_runners_train():
    """The way of TensorFlow 1 to read data: threads fill a queue while a loop trains."""
    counter = tf.Variable(0)
    queue = tf.FIFOQueue(8, tf.int32, shapes=[[]])
    with tf.control_dependencies([tf.Assert(counter < 50, "enough")]):
        item = counter.assign_add(1)
    put = queue.enqueue(item)
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [put]))
    batch = queue.dequeue_many(4)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        assert session.run(batch).tolist() == [1, 2, 3, 4]
        assert session.run(batch).tolist() == [5, 6, 7, 8]
        coordinator.request_stop()
        coordinator.join(threads)
        assert coordinator.should_stop() and coordinator.joined


def test_errors_in_threads_reach_the_program():
    queue = tf.FIFOQueue(8, tf.float32, shapes=[[]])
    bad = tf.py_func(lambda: 1 / 0, [], tf.float32)
    runner = tf.train.QueueRunner(queue, [queue.enqueue(bad)])
    with tf.Session() as session:
        coordinator = tf.train.Coordinator()
        threads = runner.create_threads(session, coordinator, start=True)
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(queue.dequeue())
        with pytest.raises(ZeroDivisionError):
            coordinator.join(threads)
    assert isinstance(runner.exceptions_raised[0], ZeroDivisionError)
    with pytest.raises(px.errors.ValueError, match="needs a queue"):
        tf.train.QueueRunner()


def test_the_end_of_the_data_ends_runners():
    dataset = tf.data.Dataset.range(6)
    queue = tf.FIFOQueue(100, tf.int64, shapes=[[]])
    put = queue.enqueue(tf.data.make_one_shot_iterator(dataset).get_next())
    runner = tf.train.QueueRunner(queue, [put, put])
    got = []
    with tf.Session() as session:
        coordinator = tf.train.Coordinator()
        threads = runner.create_threads(session, coordinator, start=True)
        get = queue.dequeue()
        try:
            while not coordinator.should_stop():
                got.append(session.run(get))
        except tf.errors.OutOfRangeError:
            coordinator.request_stop()
        coordinator.join(threads)
    assert sorted(got) == list(range(6))


def test_coordinator():
    coordinator = tf.train.Coordinator()
    assert not coordinator.should_stop() and not coordinator.wait_for_stop(0.001)
    with coordinator.stop_on_exception():
        raise KeyError("lost")
    with pytest.raises(KeyError, match="lost"):
        coordinator.join([])
    coordinator.clear_stop()
    coordinator.request_stop(tf.errors.OutOfRangeError("the end"))  # no error
    coordinator.join([])
    coordinator.clear_stop()
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    coordinator.register_thread(thread)
    coordinator.request_stop()
    with pytest.raises(px.StateError, match="did not end"):
        coordinator.join(stop_grace_period_secs=0.01)
    release.set()
    thread.join()


def test_py_func(session):
    x = tf.placeholder(tf.float32, [2])
    a, b = tf.py_func(lambda v: (v * 2, np.int64(v.sum())), [x], [tf.float32, tf.int64])
    metadata = tf.RunMetadata()
    got = session.run([a, b, x + 1], {x: [1, 2]}, run_metadata=metadata)
    assert got[0].tolist() == [2, 4] and got[1] == 3 and metadata.captured
    assert session.run(a + 1, {x: [1, 2]}).tolist() == [3, 5]
    between = tf.py_func(np.sin, [x * 2], tf.float32) + 1
    np.testing.assert_allclose(
        session.run(between, {x: [1, 2]}, run_metadata=metadata), np.sin([2, 4]) + 1, rtol=1e-6
    )
    assert "Python" in metadata.why_eager
    text = tf.py_func(lambda n: f"{n.decode()}!", [tf.constant("hello")], tf.string)
    assert session.run(text) == b"hello!"
    seen = []
    session.run(tf.py_func(lambda: seen.append(1), [], []))
    assert seen == [1]
    with pytest.raises(px.DTypeError, match="float64 where float32 was announced"):
        session.run(tf.py_func(lambda: np.float64(1), [], tf.float32))
    with pytest.raises(px.errors.ValueError, match="gave 2 values, not 1"):
        session.run(tf.py_func(lambda: (1, 2), [], [tf.int32]))


def test_print(session, capsys):
    x = tf.constant([1.0, 2.0, 3.0, 4.0])
    assert session.run(tf.Print(x, [x, tf.constant(5)], "x: ")).shape == (4,)
    assert capsys.readouterr().err == "x: [1.0 2.0 3.0...][5]\n"


def elements(session, dataset):
    iterator = tf.data.make_initializable_iterator(dataset)
    following = iterator.get_next()
    session.run(iterator.initializer)
    found = []
    while True:
        try:
            found.append(session.run(following))
        except tf.errors.OutOfRangeError:
            return found


def test_datasets(session):
    Dataset = tf.data.Dataset
    numbers = Dataset.range(5)
    assert elements(session, numbers) == [0, 1, 2, 3, 4]
    assert [e.tolist() for e in elements(session, numbers.batch(2))] == [[0, 1], [2, 3], [4]]
    assert [e.tolist() for e in elements(session, numbers.batch(2, drop_remainder=True))] == [[0, 1], [2, 3]]
    assert elements(session, numbers.map(lambda x: x * x).filter(lambda x: x > 3)) == [4, 9, 16]
    assert elements(session, numbers.skip(1).take(2).repeat(2)) == [1, 2, 1, 2]
    assert elements(session, numbers.take(2).concatenate(numbers.skip(4))) == [0, 1, 4]
    pairs = elements(session, Dataset.zip((numbers, numbers.map(lambda x: -x))))
    assert pairs[2] == (2, -2)
    shuffled = elements(session, numbers.shuffle(5, seed=1).repeat(3))
    assert [sorted(shuffled[i : i + 5]) for i in (0, 5, 10)] == [[0, 1, 2, 3, 4]] * 3
    assert shuffled[:5] != shuffled[5:10]
    assert shuffled == elements(session, numbers.shuffle(5, seed=1).repeat(3))
    rows = Dataset.from_tensor_slices({"x": np.arange(4.0), "y": tf.constant([1, 2, 3, 4])})
    assert elements(session, rows)[3] == {"x": 3.0, "y": 4}
    assert rows.output_types == {"x": tf.float64, "y": tf.int32} and rows.output_shapes["x"].as_list() == []
    assert elements(session, Dataset.from_tensors([1, 2]).apply(lambda d: d.prefetch(1).cache()))[0][1] == 2
    made = Dataset.from_generator(lambda: iter([[1], [2, 3]]), tf.int32, [None])
    assert [e.tolist() for e in elements(session, made.padded_batch(2, [None]))] == [[[1, 0], [2, 3]]]


def test_initializable_iterators(session):
    limit = tf.placeholder(tf.int64, [])
    data = tf.placeholder(tf.float32, [None])
    dataset = (
        tf.data.Dataset.from_tensor_slices(data).map(lambda x: x * tf.cast(limit, tf.float32)).batch(limit)
    )
    iterator = dataset.make_initializable_iterator()
    batch = iterator.get_next()
    with pytest.raises(tf.errors.FailedPreconditionError, match="has not been initialized"):
        session.run(batch)
    session.run(iterator.initializer, {limit: 2, data: [1, 2, 3]})
    metadata = tf.RunMetadata()
    assert session.run(batch + 1, run_metadata=metadata).tolist() == [3, 5] and metadata.captured
    assert session.run(batch + 1).tolist() == [7]
    with pytest.raises(tf.errors.OutOfRangeError, match="at its end"):
        session.run(batch)
    session.run(iterator.initializer, {limit: 1, data: [5]})
    assert session.run(batch).tolist() == [5]


def test_one_shot_iterators(session):
    images, labels = np.ones((4, 2), np.float32), np.arange(4)
    iterator = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4).make_one_shot_iterator()
    x, y = iterator.get_next()
    assert x.shape.as_list() == [None, 2] and session.run([tf.reduce_sum(x), y])[0] == 8
    with pytest.raises(px.errors.ValueError, match="has no initializer"):
        _ = iterator.initializer
    with pytest.raises(px.errors.ValueError, match="make_initializable_iterator"):
        tf.data.make_one_shot_iterator(tf.data.Dataset.from_tensors(tf.placeholder(tf.float32)))


def test_iterators_of_several_datasets(session):
    iterator = tf.data.Iterator.from_structure(tf.int64, [])
    item = iterator.get_next()
    train = iterator.make_initializer(tf.data.Dataset.range(2))
    test = iterator.make_initializer(tf.data.Dataset.range(10, 12))
    session.run(train)
    assert session.run(item) == 0
    session.run(test)
    assert session.run(item) == 10
    with pytest.raises(px.DTypeError, match="other dtypes"):
        iterator.make_initializer(tf.data.Dataset.from_tensors(1.0))


def test_datasets_are_written_with_the_graph(session):
    iterator = tf.data.Dataset.range(3).map(lambda x: x * 10).batch(2).make_initializable_iterator()
    following = iterator.get_next()
    definition = tf.get_default_graph().as_graph_def()
    with tf.Graph().as_default(), tf.Session() as other:
        tf.import_graph_def(definition, name="")
        other.run(iterator.initializer.name)
        assert other.run(following.name).tolist() == [0, 10]
