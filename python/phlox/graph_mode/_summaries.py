"""Summaries: what a run tells TensorBoard, and the writer of its event files."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._failure import fail
from . import _events
from ._calls import convert
from ._graph import Graph, GraphKeys, Operation, get_default_graph
from ._host import to_numpy
from ._kinds import KINDS, kind
from ._tensors import Tensor, add_outputs, string


def _text(data: bytes) -> Any:
    result = np.empty((), object)
    result[()] = data
    return result


def _values(operation: Operation, value: Any) -> Any:
    array = to_numpy(value)
    if not np.isfinite(array).all():
        fail(
            "ValueError",
            "invalid_value",
            f'the summary "{operation.attributes["tag"]}" has NaN or infinite values',
            values=value,
        )
    return array


@kind("ScalarSummary", host=True)
def _run_scalar(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    array = to_numpy(inputs[0])
    if array.size != 1:
        fail(
            "ShapeError",
            "sizes_differ",
            f'the summary "{operation.attributes["tag"]}" takes one number',
            value=inputs[0],
        )
    return [_text(_events.scalar_value(operation.attributes["tag"], float(array.reshape(()))))]


@kind("HistogramSummary", host=True)
def _run_histogram(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [_text(_events.histogram_value(operation.attributes["tag"], _values(operation, inputs[0])))]


@kind("TextSummary", "TensorSummaryV2", host=True)
def _run_text(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    return [
        _text(_events.text_value(operation.attributes["tag"], [bytes(t) for t in inputs[0].ravel().tolist()]))
    ]


@kind("MergeSummary", host=True)
def _run_merge(frame: Any, operation: Operation, inputs: list[Any]) -> Any:
    # Messages one after the other are one message with all their values.
    return [_text(b"".join(i.item() for i in inputs))]


def _add(key: str, name: str, tensor: Any, collections: Any, family: str | None) -> Tensor:
    graph = get_default_graph()
    clean = re.sub(r"[^-/\w.]", "_", name).lstrip("/")
    if family:
        clean = f"{family}/{clean}"
    operation = graph.add(KINDS[key], [convert(tensor)], clean, attributes={"tag": ""})
    operation.attributes["tag"] = f"{family}/{operation.name}" if family else operation.name
    result = add_outputs(operation, [(string, [])])[0]
    for collection in [GraphKeys.SUMMARIES] if collections is None else collections:
        graph.add_to_collection(collection, result)
    return result


def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """A number for TensorBoard, under the name of the operation."""
    return _add("ScalarSummary", name, tensor, collections, family)


def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """A histogram for TensorBoard. Values that are not finite raise ValueError in a run."""
    return _add("HistogramSummary", name, values, collections, family)


def text(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """A text for TensorBoard."""
    return _add("TextSummary", name, tensor, collections, None)


def merge(inputs: Sequence[Tensor], collections: Any = None, name: str | None = None) -> Tensor:
    """Several summaries as one."""
    operation = get_default_graph().add(
        KINDS["MergeSummary"], [convert(i) for i in inputs], name or "Merge/MergeSummary"
    )
    result = add_outputs(operation, [(string, [])])[0]
    for collection in collections or ():
        get_default_graph().add_to_collection(collection, result)
    return result


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Tensor | None:
    """All summaries of the default graph as one; None where there are none."""
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


class Summary:
    """Values for TensorBoard that the program itself makes.

    Example:
        writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag="accuracy", simple_value=0.9)]), step)
    """

    class Value:
        """One number under a tag."""

        def __init__(self, tag: str, simple_value: float):
            self.tag, self.simple_value = tag, simple_value

    def __init__(self, value: Sequence[Summary.Value] = ()):
        self.value = list(value)

    def SerializeToString(self) -> bytes:
        """The protocol buffer."""
        return b"".join(_events.scalar_value(v.tag, v.simple_value) for v in self.value)


class FileWriter:
    """Writes summaries and graphs into a new event file in a folder, which TensorBoard reads.

    Example:
        writer = tf.summary.FileWriter("/tmp/logs", session.graph)
        writer.add_summary(session.run(merged), step)
        writer.close()
    """

    def __init__(
        self,
        logdir: str,
        graph: Graph | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ):
        self._folder, self._suffix = os.fspath(logdir), filename_suffix or ""
        self._lock = threading.Lock()
        self._count = 0
        self._open()
        if graph is not None or graph_def is not None:
            self.add_graph(graph if graph is not None else graph_def)

    def _open(self) -> None:
        os.makedirs(self._folder, exist_ok=True)
        # Two writers of one second, and one that is reopened, have files of their own.
        self._count += 1
        number = f"{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{id(self) % 10000}.{self._count}"
        self._path = os.path.join(self._folder, f"events.out.tfevents.{number}{self._suffix}")
        self._file: Any = open(self._path, "wb")  # noqa: SIM115
        self._write(None, _events.block(3, "brain.Event:2"))
        self.flush()

    def _write(self, step: int | None, content: bytes) -> None:
        with self._lock:
            if self._file is None:
                fail("StateError", "invalid_value", "the FileWriter is closed", "writer.reopen()")
            self._file.write(_events.record(_events.event(time.time(), step, content)))

    def get_logdir(self) -> str:
        """The folder."""
        return self._folder

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Writes what a summary gave in a run, or a `tf.Summary`."""
        data = summary.SerializeToString() if isinstance(summary, Summary) else summary
        if not isinstance(data, bytes):
            fail(
                "TypeError",
                "wrong_argument_type",
                "add_summary() takes what a summary gave in a run",
                "session.run(merged)",
            )
        self._write(None if global_step is None else int(global_step), _events.block(5, data))

    def add_scalar(self, tag: str, value: float, global_step: Any = None) -> None:
        """Writes one number."""
        self.add_summary(_events.scalar_value(tag, value), global_step)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        """Writes a graph, as names, types, inputs and devices of its operations."""
        data = graph.as_graph_def() if isinstance(graph, Graph) else graph or graph_def
        self._write(
            None if global_step is None else int(global_step), _events.block(4, _events.graph_value(data))
        )

    def flush(self) -> None:
        """Sees that all is in the file."""
        with self._lock:
            if self._file is not None:
                self._file.flush()

    def close(self) -> None:
        """Writes the rest and closes the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def reopen(self) -> None:
        """Begins another file in the same folder, where this one is closed."""
        if self._file is None:
            self._open()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
