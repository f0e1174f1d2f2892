"""Queues between threads, threads that fill them, and how all of them end: `Coordinator`."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import phlox

from .._failure import fail
from ._calls import convert
from ._graph import Graph, GraphKeys, Operation, get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Tensor, add_outputs, as_dtype, string
from .errors import CancelledError, OutOfRangeError, _raise

px: Any = phlox  # whose operations only its stub names


class _Queue:
    """The elements of a queue in one session, and the threads that wait for them."""

    def __init__(self, settings: dict[str, Any], name: str):
        self.name, self.capacity = name, settings["capacity"]
        self.kind, self.least = settings["kind"], settings["least"]
        self.random = random.Random(settings["seed"])
        self.elements: list[list[Any]] = []
        self.closed = self.cancelled = False
        self.changed = threading.Condition()

    def put(self, elements: Sequence[list[Any]]) -> None:
        """Appends elements, each when there is room for it. Raises CancelledError where the queue is closed."""
        with self.changed:
            for element in elements:
                if self.closed:
                    self._refuse()
                while self.capacity >= 0 and len(self.elements) >= self.capacity:
                    self.changed.wait()
                    if self.cancelled:
                        self._refuse()
                self.elements.append(element)
                self.changed.notify_all()

    def _refuse(self) -> None:
        _raise(CancelledError, "invalid_value", f'the queue "{self.name}" is closed')

    def take(self, count: int, or_less: bool) -> list[list[Any]]:
        """Takes so many elements when they are there. Raises OutOfRangeError where they will never be."""
        with self.changed:
            while True:
                there = len(self.elements)
                # Shuffling keeps some back, until nothing more comes.
                least = 0 if self.closed else self.least
                if there - count >= least:
                    break
                if self.closed or self.cancelled:
                    if or_less and there and not self.cancelled:
                        count = there
                        break
                    _raise(
                        OutOfRangeError,
                        "invalid_value",
                        f'the queue "{self.name}" is closed and has {there} elements, {count} are asked for',
                    )
                self.changed.wait()
            taken = []
            for _ in range(count):
                place = self.random.randrange(len(self.elements)) if self.kind == "shuffle" else 0
                taken.append(self.elements.pop(place))
            self.changed.notify_all()
            return taken

    def close(self, cancel: bool) -> None:
        """Takes no more elements; with `cancel`, threads that wait give up."""
        with self.changed:
            self.closed = True
            self.cancelled = self.cancelled or cancel
            self.changed.notify_all()

    close_session = close


def _queue(frame: Any, operation: Operation) -> _Queue:
    resources = frame.state.session.resources
    name = operation.attributes["queue"]
    with frame.state.session.lock:
        if name not in resources:
            resources[name] = _Queue(operation.attributes["settings"], name)
        return resources[name]


@kind("QueueEnqueue", "QueueEnqueueV2", host=True)
def _run_enqueue(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    _check_shapes(operation, inputs)
    _queue(frame, operation).put([list(inputs)])
    return []


@kind("QueueEnqueueMany", "QueueEnqueueManyV2", host=True)
def _run_enqueue_many(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    rows = [list(row) for row in zip(*(_rows(i) for i in inputs))]
    for row in rows:
        _check_shapes(operation, row)
    _queue(frame, operation).put(rows)
    return []


def _rows(value: Any) -> list[Any]:
    return (
        list(value.unbind(0))
        if isinstance(value, phlox.Tensor)
        else [value[i : i + 1].reshape(value.shape[1:]) for i in range(len(value))]
    )


def _check_shapes(operation: Operation, inputs: Sequence[Any]) -> None:
    for shape, value in zip(operation.attributes["settings"]["shapes"] or (), inputs):
        if not TensorShape(shape).is_compatible_with(list(value.shape)):
            fail(
                "ShapeError",
                "sizes_differ",
                f"an element of the shape {list(value.shape)} for a queue of {TensorShape(shape)}",
            )


@kind("QueueDequeue", "QueueDequeueV2", host=True)
def _run_dequeue(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    return _queue(frame, operation).take(1, False)[0]


@kind("QueueDequeueMany", "QueueDequeueManyV2", host=True)
def _run_dequeue_many(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    settings = operation.attributes["settings"]
    count = int(inputs[0].item())
    elements = _queue(frame, operation).take(count, operation.attributes["or_less"])
    columns = list(zip(*elements)) if elements else []
    return [_stacked(column, settings["kind"] == "padding") for column in columns]


def _stacked(values: Sequence[Any], padded: bool) -> Any:
    if not isinstance(values[0], phlox.Tensor):
        import numpy as np

        return np.stack(values)
    if padded:
        sizes = [max(column) for column in zip(*(v.shape for v in values))]
        values = [
            px.pad(v, [n for size, own in zip(reversed(sizes), reversed(v.shape)) for n in (0, size - own)])
            for v in values
        ]
    return px.stack(list(values))


@kind("QueueClose", "QueueCloseV2", host=True)
def _run_close(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    _queue(frame, operation).close(operation.attributes["cancel"])
    return []


@kind("QueueSize", "QueueSizeV2", host=True)
def _run_size(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [px.tensor(len(_queue(frame, operation).elements), dtype=px.int32)]


@kind("QueueIsClosed", "QueueIsClosedV2", host=True)
def _run_is_closed(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [px.tensor(_queue(frame, operation).closed)]


class QueueBase:
    """What all queues have. An element is one tensor for each of the dtypes."""

    _kind = "fifo"
    _name = "fifo_queue"

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        least: int = 0,
        seed: int | None = None,
        name: str | None = None,
    ):
        kinds = [as_dtype(d) for d in (dtypes if isinstance(dtypes, (list, tuple)) else [dtypes])]
        self.dtypes = kinds
        if shapes is not None:
            shapes = [shapes] if isinstance(shapes, TensorShape) or not _is_list_of_shapes(shapes) else shapes
            if len(shapes) != len(kinds):
                fail(
                    "ValueError", "invalid_value", f"a queue of {len(kinds)} dtypes has {len(shapes)} shapes"
                )
        self.shapes = [TensorShape(s).as_list() for s in shapes] if shapes is not None else None
        self.names = [names] if isinstance(names, str) else names
        self.settings = {
            "kind": self._kind,
            "capacity": capacity,
            "least": least,
            "seed": seed,
            "shapes": self.shapes,
        }
        self.name = get_default_graph().unique_name(name or self._name)

    def _add(self, key: str, inputs: list[Tensor], name: str | None, **more: Any) -> Operation:
        attributes = {"queue": self.name, "settings": self.settings, **more}
        return get_default_graph().add(
            KINDS[key], inputs, name or f"{self.name}_{key[5:].lower()}", attributes=attributes
        )

    def _inputs(self, vals: Any) -> list[Tensor]:
        if isinstance(vals, dict):
            if self.names is None or set(vals) != set(self.names):
                fail("ValueError", "invalid_value", f"the queue's names are {self.names}, not {sorted(vals)}")
            vals = [vals[n] for n in self.names]
        values = (
            list(vals)
            if isinstance(vals, (list, tuple)) and (len(self.dtypes) > 1 or len(vals) == 1)
            else [vals]
        )
        if len(values) != len(self.dtypes):
            fail(
                "ValueError",
                "invalid_value",
                f"an element of the queue has {len(self.dtypes)} tensors, not {len(values)}",
            )
        return [convert(v, d) for v, d in zip(values, self.dtypes)]

    def enqueue(self, vals: Any, name: str | None = None) -> Operation:
        """An operation that appends one element, and waits for room."""
        return self._add("QueueEnqueue", self._inputs(vals), name)

    def enqueue_many(self, vals: Any, name: str | None = None) -> Operation:
        """An operation that appends the rows of tensors."""
        return self._add("QueueEnqueueMany", self._inputs(vals), name)

    def _outputs(self, operation: Operation, sizes: Sequence[Any]) -> Any:
        shapes: Sequence[Any] = self.shapes or [None] * len(self.dtypes)
        specs = [(d, None if s is None else [*sizes, *s]) for d, s in zip(self.dtypes, shapes)]
        outputs = add_outputs(operation, specs)
        if self.names is not None:
            return dict(zip(self.names, outputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def dequeue(self, name: str | None = None) -> Any:
        """The next element, once there is one. Raises OutOfRangeError in a run where the queue is closed and empty."""
        return self._outputs(self._add("QueueDequeue", [], name), [])

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """So many elements, stacked, once they are there."""
        return self._many(n, False, name)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """So many elements, or what is left of a closed queue."""
        return self._many(n, True, name)

    def _many(self, n: Any, or_less: bool, name: str | None) -> Any:
        if self.shapes is None and string not in self.dtypes:
            fail(
                "ValueError",
                "missing_argument",
                "dequeue_many() needs a queue with shapes",
                "tf.FIFOQueue(10, tf.float32, shapes=[[3]])",
            )
        operation = self._add("QueueDequeueMany", [convert(n, "int32")], name, or_less=or_less)
        return self._outputs(operation, [None if or_less or not isinstance(n, int) else n])

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """An operation after which the queue takes no more elements; those that are there can be taken."""
        return self._add("QueueClose", [], name, cancel=cancel_pending_enqueues)

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements."""
        return add_outputs(self._add("QueueSize", [], name), [(px.int32, [])])[0]

    def is_closed(self, name: str | None = None) -> Tensor:
        """Whether it is closed."""
        return add_outputs(self._add("QueueIsClosed", [], name), [(px.bool, [])])[0]


def _is_list_of_shapes(shapes: Any) -> bool:
    return (
        isinstance(shapes, (list, tuple))
        and (not shapes or isinstance(shapes[0], (list, tuple, TensorShape)))
        and bool(shapes)
    )


class FIFOQueue(QueueBase):
    """A queue that gives elements in the order in which they came.

    Example:
        queue = tf.FIFOQueue(10, [tf.float32], shapes=[[3]])
        put, get = queue.enqueue([x]), queue.dequeue_many(4)
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: Any = None,
        name: str = "fifo_queue",
    ):
        super().__init__(capacity, dtypes, shapes, names, name=name)


class RandomShuffleQueue(QueueBase):
    """A queue that gives elements in random order; `min_after_dequeue` stay in it until it is closed, so that they mix."""

    _kind, _name = "shuffle", "random_shuffle_queue"

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: Any = None,
        name: str = "random_shuffle_queue",
    ):
        super().__init__(capacity, dtypes, shapes, names, min_after_dequeue, seed, name)


class PaddingFIFOQueue(QueueBase):
    """A queue whose elements may differ in the sizes that are None; dequeue_many fills them up with zeros."""

    _kind, _name = "padding", "padding_fifo_queue"

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: Any = None,
        name: str = "padding_fifo_queue",
    ):
        super().__init__(capacity, dtypes, shapes, names, name=name)


# --- threads


class Coordinator:
    """How several threads end together: one asks for it, the others see it, and errors reach the one that waits.

    Example:
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        try:
            while not coordinator.should_stop():
                session.run(train_op)
        except tf.errors.OutOfRangeError:
            pass
        finally:
            coordinator.request_stop()
        coordinator.join(threads)
    """

    def __init__(self, clean_stop_exception_types: Any = None):
        self._clean = tuple(clean_stop_exception_types or (OutOfRangeError,))
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self.joined = False

    def should_stop(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stop.is_set()

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop. An exception is raised again by `join`, unless it is a clean end."""
        with self._lock:
            error = ex[1] if isinstance(ex, tuple) else ex
            if (
                error is not None
                and self._error is None
                and not isinstance(error, self._clean)
                and not self.should_stop()
            ):
                self._error = error
            self._stop.set()

    def clear_stop(self) -> None:
        """Begins anew."""
        self._stop.clear()
        self._error, self.joined = None, False

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Waits until somebody asks to stop, or so many seconds; whether somebody did."""
        return self._stop.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """Adds a thread that `join` waits for."""
        self._threads.add(thread)

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """A scope in which an exception asks all to stop."""
        try:
            yield
        except Exception as error:
            self.request_stop(error)

    def raise_requested_exception(self) -> None:
        """Raises the exception that a thread ended with."""
        if self._error is not None:
            raise self._error

    def join(
        self, threads: Any = None, stop_grace_period_secs: float = 120, ignore_live_threads: bool = False
    ) -> None:
        """Waits for the threads, and raises what one of them ended with. Raises StateError where they do not end in time."""
        waiting = self._threads.union(threads or ())
        while any(t.is_alive() for t in waiting) and not self._stop.wait(0.01):
            pass
        limit = time.monotonic() + stop_grace_period_secs
        for thread in waiting:
            thread.join(max(0.0, limit - time.monotonic()))
        self.joined = True
        self.raise_requested_exception()
        alive = sorted(t.name for t in waiting if t.is_alive())
        if alive and not ignore_live_threads:
            fail(
                "StateError",
                "invalid_value",
                f"the threads {', '.join(alive)} did not end in {stop_grace_period_secs} seconds",
            )


class QueueRunner:
    """Threads that run operations which fill a queue, until that raises OutOfRangeError; then they close the queue."""

    def __init__(
        self,
        queue: QueueBase | None = None,
        enqueue_ops: Sequence[Operation] | None = None,
        close_op: Operation | None = None,
        cancel_op: Operation | None = None,
        queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None,
    ):
        if queue is None or not enqueue_ops:
            fail("ValueError", "missing_argument", "a QueueRunner needs a queue and operations that fill it")
        self.name = queue.name
        self.enqueue_ops = list(enqueue_ops)
        self.close_op = queue.close() if close_op is None else close_op
        self.cancel_op = queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
        self._ends = tuple(queue_closed_exception_types or (OutOfRangeError,))
        self._running: dict[Any, int] = {}
        self._lock = threading.Lock()
        self.exceptions_raised: list[BaseException] = []

    def to_data(self) -> dict[str, Any]:
        """The names of its operations, for files."""
        names = [o.name for o in self.enqueue_ops]
        return {
            "queue": self.name,
            "enqueue": names,
            "close": self.close_op.name,
            "cancel": self.cancel_op.name,
        }

    @classmethod
    def of_data(cls, graph: Graph, data: dict[str, Any]) -> QueueRunner:
        """The QueueRunner of operations of a graph, as a file names them."""
        self = object.__new__(cls)
        self.name = data["queue"]
        self.enqueue_ops = [graph.get_operation_by_name(n) for n in data["enqueue"]]
        self.close_op = graph.get_operation_by_name(data["close"])
        self.cancel_op = graph.get_operation_by_name(data["cancel"])
        self._ends, self._running, self._lock, self.exceptions_raised = (
            (OutOfRangeError,),
            {},
            threading.Lock(),
            [],
        )
        return self

    def _run(self, session: Any, operation: Operation, coordinator: Coordinator | None) -> None:
        error: BaseException | None = None
        try:
            while coordinator is None or not coordinator.should_stop():
                session.run(operation)
        except self._ends:
            pass
        except CancelledError as raised:  # the queue was closed because all end
            error = None if coordinator is not None and coordinator.should_stop() else raised
        except Exception as raised:
            error = raised
        with self._lock:
            self._running[session] -= 1
            last = self._running[session] == 0
        if last and not session._closed:
            session.run(self.close_op)
        if error is not None:
            self.exceptions_raised.append(error)
            if coordinator is None:
                raise error
            coordinator.request_stop(error)

    def _cancel(self, session: Any, coordinator: Coordinator) -> None:
        coordinator.wait_for_stop()
        if not session._closed:
            session.run(self.cancel_op)

    def create_threads(
        self, sess: Any, coord: Coordinator | None = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """The threads, one for each operation and one that closes the queue when all are to stop."""
        self._running[sess] = len(self.enqueue_ops)
        works: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
            (self._run, (sess, o, coord)) for o in self.enqueue_ops
        ]
        if coord is not None:
            works.append((self._cancel, (sess, coord)))
        threads = [
            threading.Thread(target=work, args=args, name=f"QueueRunner-{self.name}-{i}", daemon=daemon)
            for i, (work, args) in enumerate(works)
        ]
        for thread in threads:
            if coord is not None:
                coord.register_thread(thread)
            if start:
                thread.start()
        return threads


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Adds a QueueRunner to those that `start_queue_runners` starts."""
    get_default_graph().add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Coordinator | None = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Starts the threads of all QueueRunners of the graph of the session."""
    from ._session import session_for

    session = session_for(sess, "start queue runners in")
    runners = session.graph.get_collection(collection)
    return [t for runner in runners for t in runner.create_threads(session, coord, daemon, start)]
