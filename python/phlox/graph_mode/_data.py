"""Data sets in graphs: pipelines as data, and iterators that run them in Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Iterator as _Iter
from typing import Any

import numpy as np

import phlox

from .._failure import fail
from ._bodies import finish_body, flatten, make_body, pack
from ._calls import convert
from ._execution import Frame, body_operations
from ._graph import Graph, Operation, get_default_graph
from ._host import from_numpy
from ._kinds import KINDS, Input, kind
from ._shapes import TensorShape
from ._tensors import Tensor, add_outputs, as_dtype
from .errors import FailedPreconditionError, OutOfRangeError, _raise

px: Any = phlox  # whose operations only its stub names

# A pipeline is nested dictionaries: {"op": "batch", "source": {...}, "size": Input(0)}. It is interpreted by _elements.


def _stack(values: list[Any]) -> Any:
    return px.stack(values) if isinstance(values[0], phlox.Tensor) else np.stack(values)


def _row(value: Any, i: int) -> Any:
    return value[i] if isinstance(value, phlox.Tensor) else value[i : i + 1].reshape(value.shape[1:])


class _Pipeline:
    """Runs a pipeline: an element is a list of values."""

    def __init__(self, frame: Frame, inputs: list[Any], symbols: Any):
        self.state, self.functions = frame.state, frame.graph.root.functions
        self.inputs = inputs
        self.values = dict(zip(symbols, inputs))
        self.turns: dict[int, int] = {}  # passes of each shuffling step

    def given(self, value: Any) -> Any:
        """An argument of a step: a number, or the value of an input of the initializer."""
        return self.inputs[value.number] if isinstance(value, Input) else value

    def number(self, value: Any) -> int:
        """An argument that is a number."""
        given = self.given(value)
        return int(given.item()) if isinstance(given, phlox.Tensor) else int(given)

    def call(self, body: Graph, element: list[Any]) -> list[Any]:
        """What a function gives for an element."""
        bound = dict(zip(body.parameters, element))
        bound.update(
            {inner: self.values[outer] for outer, inner in body.captures.items() if outer in self.values}
        )
        frame = Frame(self.state, body, bound)
        with px.no_grad():
            frame.run(body_operations(body))
        return [frame.value(t) for t in body.results]

    def elements(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        """The elements that a step gives."""
        return getattr(self, f"_{step['op']}")(step)

    def _tensors(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        yield [self.given(c) for c in step["components"]]

    def _slices(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        columns = [self.given(c) for c in step["components"]]
        if len({c.shape[0] for c in columns}) > 1:
            fail(
                "ShapeError",
                "sizes_differ",
                f"from_tensor_slices(): the lengths {[c.shape[0] for c in columns]} differ",
            )
        for i in range(columns[0].shape[0]):
            yield [_row(c, i) for c in columns]

    def _range(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        for i in range(*(self.number(v) for v in step["arguments"])):
            yield [px.tensor(i)]

    def _generator(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        if step["token"] not in self.functions:
            fail(
                "GraphError",
                "bad_graph",
                "from_generator(): the function is one of Python, which files do not hold",
            )
        for item in self.functions[step["token"]]():
            values = _components(item, step["count"])
            if len(values) != len(step["dtypes"]):
                fail(
                    "ValueError",
                    "invalid_value",
                    f"the generator gave {len(values)} values, not {len(step['dtypes'])}",
                )
            yield [from_numpy(v, d, "the generator") for v, d in zip(values, step["dtypes"])]

    def _zip(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        for parts in zip(*(self.elements(s) for s in step["sources"])):
            yield [v for part in parts for v in part]

    def _concatenate(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        for source in step["sources"]:
            yield from self.elements(source)

    def _map(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        for element in self.elements(step["source"]):
            yield self.call(step["body"], element)

    def _filter(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        for element in self.elements(step["source"]):
            if bool(self.call(step["body"], element)[0].item()):
                yield element

    def _batch(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        size = self.number(step["size"])
        waiting: list[list[Any]] = []
        for element in self.elements(step["source"]):
            waiting.append(element)
            if len(waiting) == size:
                yield [_stack(list(column)) for column in zip(*waiting)]
                waiting = []
        if waiting and not step["drop"]:
            yield [_stack(list(column)) for column in zip(*waiting)]

    def _padded_batch(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        size = self.number(step["size"])
        elements = self.elements(step["source"])
        while waiting := [e for _, e in zip(range(size), elements)]:
            if len(waiting) < size and step["drop"]:
                return
            yield [_padded(list(c), s, p) for c, s, p in zip(zip(*waiting), step["shapes"], step["padding"])]

    def _repeat(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        count, turn = self.number(step["count"]), 0
        while count < 0 or turn < count:
            empty = True
            for element in self.elements(step["source"]):
                empty = False
                yield element
            if empty:
                return
            turn += 1

    def _shuffle(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        size, seed = self.number(step["size"]), step["seed"]
        if seed is None:
            seed = int(px.randint(2**31, ()).item())
        turn = self.turns[id(step)] = self.turns.get(id(step), -1) + 1
        # Another order in each pass, the same in each program.
        source = random.Random(f"{seed}, {turn}" if step["again"] else seed)
        kept: list[list[Any]] = []
        for element in self.elements(step["source"]):
            if len(kept) < size:
                kept.append(element)
                continue
            place = source.randrange(size)
            kept[place], element = element, kept[place]
            yield element
        source.shuffle(kept)
        yield from kept

    def _take(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        count = self.number(step["count"])
        elements = self.elements(step["source"])
        yield from elements if count < 0 else (e for _, e in zip(range(count), elements))

    def _skip(self, step: dict[str, Any]) -> _Iter[list[Any]]:
        count = self.number(step["count"])
        for number, element in enumerate(self.elements(step["source"])):
            if number >= count:
                yield element


def _padded(values: list[Any], shape: list[int | None], padding: Any) -> Any:
    sizes = [max(v.shape[i] for v in values) if s is None else s for i, s in enumerate(shape)]
    amounts = [[n for i in reversed(range(len(sizes))) for n in (0, sizes[i] - v.shape[i])] for v in values]
    if any(n < 0 for one in amounts for n in one):
        fail("ShapeError", "sizes_differ", f"padded_batch(): an element is larger than {shape}")
    return px.stack([px.pad(v, a, value=padding) if a else v for v, a in zip(values, amounts)])


# --- data sets


class Dataset:
    """A pipeline of elements, each a structure of tensors, written like TensorFlow's `tf.data.Dataset`.

    Example:
        data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(1000).repeat().batch(32)
        image, label = tf.data.make_one_shot_iterator(data).get_next()
    """

    def __init__(
        self,
        step: dict[str, Any],
        inputs: list[Tensor],
        structure: Any,
        dtypes: list[Any],
        shapes: list[TensorShape],
    ):
        self._step, self._inputs, self._structure = step, inputs, structure
        self._dtypes, self._shapes = dtypes, shapes

    # --- what its elements are

    @property
    def output_types(self) -> Any:
        """The dtypes of an element, in its structure."""
        return pack(self._structure, self._dtypes)

    @property
    def output_shapes(self) -> Any:
        """The shapes of an element, in its structure."""
        return pack(self._structure, self._shapes)

    def _with(
        self, op: str, more: dict[str, Any], inputs: list[Tensor] | None = None, shapes: Any = None
    ) -> Dataset:
        step = {"op": op, "source": self._step, **more}
        return Dataset(step, inputs or self._inputs, self._structure, self._dtypes, shapes or self._shapes)

    def _argument(self, value: Any) -> tuple[Any, list[Tensor]]:
        """A number as it is; a tensor becomes an input of the iterator's initializer."""
        if isinstance(value, (int, np.integer)):
            return int(value), self._inputs
        return Input(len(self._inputs)), [*self._inputs, convert(value)]

    # --- sources

    @staticmethod
    def _of(op: str, tensors: Any, shape_from: int) -> Dataset:
        symbols = [convert(t) for t in flatten(tensors)]
        shapes = [t.shape[shape_from:] if t.shape else TensorShape(None) for t in symbols]
        step = {"op": op, "components": [Input(i) for i in range(len(symbols))]}
        return Dataset(step, symbols, tensors, [t.dtype for t in symbols], shapes)

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element."""
        return Dataset._of("tensors", tensors, 0)

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The rows of tensors, which may be placeholders: these are fed when the iterator is initialized."""
        return Dataset._of("slices", tensors, 1)

    @staticmethod
    def range(*args: Any) -> Dataset:
        """Numbers, int64, as Python's range."""
        return Dataset(
            {"op": "range", "arguments": [int(a) for a in args]}, [], 0, [px.int64], [TensorShape([])]
        )

    @staticmethod
    def from_generator(generator: Callable[[], Any], output_types: Any, output_shapes: Any = None) -> Dataset:
        """What a generator of Python gives; it is called anew for each pass."""
        functions = get_default_graph().root.functions
        token = f"generator_{len(functions)}"
        functions[token] = generator
        dtypes = [as_dtype(d) for d in flatten(output_types)]
        shapes = (
            [TensorShape(None) for _ in dtypes]
            if output_shapes is None
            else _flat_shapes(output_shapes, len(dtypes))
        )
        count = len(dtypes) if isinstance(output_types, (list, tuple, dict)) else None
        step = {"op": "generator", "token": token, "dtypes": dtypes, "count": count}
        return Dataset(step, [], output_types, dtypes, shapes)

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        """Elements of several data sets together."""
        sources = flatten(datasets)
        structure = pack(datasets, [d._structure for d in sources])
        return _joined(
            "zip",
            sources,
            structure,
            [t for d in sources for t in d._dtypes],
            [s for d in sources for s in d._shapes],
        )

    # --- steps

    def concatenate(self, dataset: Dataset) -> Dataset:
        """The elements of this one, then those of another."""
        if self._dtypes != dataset._dtypes:
            fail(
                "DTypeError", "wrong_dtype", "concatenate(): the data sets have elements of different dtypes"
            )
        shapes = [a if a == b else TensorShape(None) for a, b in zip(self._shapes, dataset._shapes)]
        return _joined("concatenate", [self, dataset], self._structure, self._dtypes, shapes)

    def _body(self, function: Callable[..., Any]) -> tuple[Graph, Any]:
        outer = get_default_graph()
        likes = [
            Tensor(Operation(outer, "element", KINDS["Parameter"], []), 0, d, s)
            for d, s in zip(self._dtypes, self._shapes)
        ]

        def build(parameters: Any) -> Any:
            element = pack(self._structure, parameters)
            return element if isinstance(element, tuple) else [element]

        body, result = make_body(lambda *element: function(*element), likes, self._shapes, build)
        leaves = flatten(result)
        with body.as_default():
            leaves = [convert(leaf) for leaf in leaves]
        finish_body(body, leaves)
        return body, result

    def _applied(self, op: str, function: Callable[..., Any], **more: Any) -> tuple[Dataset, Any, Graph]:
        body, result = self._body(function)
        captured = [t for t in body.captures if t.graph is get_default_graph()]
        inputs = [*self._inputs, *(t for t in captured if t not in self._inputs)]
        return self._with(op, {"body": body, **more}, inputs), result, body

    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None) -> Dataset:
        """A function of each element, written with operations of the graph."""
        made, result, body = self._applied("map", map_func)
        made._structure = result
        made._dtypes = [t.dtype for t in body.results]
        made._shapes = [t.shape for t in body.results]
        return made

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which a function is true."""
        made, _, body = self._applied("filter", predicate)
        if len(body.results) != 1 or body.results[0].dtype is not px.bool:
            fail("TypeError", "wrong_argument_type", "filter(): the function must give one truth value")
        return made

    def _batched(self, count: Any, drop: bool, shapes: list[TensorShape]) -> list[TensorShape]:
        first = int(count) if drop and isinstance(count, (int, np.integer)) else None
        return [TensorShape([first]).concatenate(s) for s in shapes]

    def batch(self, batch_size: Any, drop_remainder: bool = False) -> Dataset:
        """So many elements at once, stacked; the last ones may be fewer."""
        size, inputs = self._argument(batch_size)
        shapes = self._batched(batch_size, drop_remainder, self._shapes)
        return self._with("batch", {"size": size, "drop": drop_remainder}, inputs, shapes)

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
    ) -> Dataset:
        """So many elements at once, filled up to `padded_shapes`, where None is the largest of the batch."""
        size, inputs = self._argument(batch_size)
        shapes = self._shapes if padded_shapes is None else _flat_shapes(padded_shapes, len(self._dtypes))
        padding = [0] * len(shapes) if padding_values is None else flatten(padding_values)
        more = {
            "size": size,
            "drop": drop_remainder,
            "shapes": [s.as_list() for s in shapes],
            "padding": padding,
        }
        return self._with("padded_batch", more, inputs, self._batched(batch_size, drop_remainder, shapes))

    def repeat(self, count: Any = None) -> Dataset:
        """All elements so many times, for ever by default."""
        number, inputs = self._argument(-1 if count is None else count)
        return self._with("repeat", {"count": number}, inputs)

    def shuffle(
        self, buffer_size: Any, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """Elements in an order that is random among the next `buffer_size`; another one in each pass."""
        size, inputs = self._argument(buffer_size)
        seed = get_default_graph().root.seed if seed is None else seed
        return self._with(
            "shuffle", {"size": size, "seed": seed, "again": bool(reshuffle_each_iteration)}, inputs
        )

    def take(self, count: Any) -> Dataset:
        """The first elements; all with -1."""
        number, inputs = self._argument(count)
        return self._with("take", {"count": number}, inputs)

    def skip(self, count: Any) -> Dataset:
        """All but the first elements."""
        number, inputs = self._argument(count)
        return self._with("skip", {"count": number}, inputs)

    def prefetch(self, buffer_size: Any) -> Dataset:
        """The same elements."""
        return self

    def cache(self, filename: str = "") -> Dataset:
        """The same elements."""
        return self

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the data set."""
        return transformation_func(self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Iterator:
        """An iterator that its initializer begins."""
        return make_initializable_iterator(self)

    def make_one_shot_iterator(self) -> Iterator:
        """An iterator that begins by itself, once."""
        return make_one_shot_iterator(self)


def _joined(
    op: str, sources: list[Dataset], structure: Any, dtypes: list[Any], shapes: list[TensorShape]
) -> Dataset:
    """A step of several data sets, whose inputs come one after the other."""
    inputs: list[Tensor] = []
    steps = []
    for source in sources:
        steps.append(_shifted(source._step, len(inputs)))
        inputs.extend(source._inputs)
    return Dataset({"op": op, "sources": steps}, inputs, structure, dtypes, shapes)


def _shifted(value: Any, by: int) -> Any:
    if isinstance(value, Input):
        return Input(value.number + by)
    if isinstance(value, dict):
        return {k: _shifted(v, by) for k, v in value.items()}
    if isinstance(value, list):
        return [_shifted(v, by) for v in value]
    return value


def _components(item: Any, count: int | None) -> list[Any]:
    """The values of an element that Python gave; lists are values where there is only one."""
    if count is None:
        return [item]
    return [item[key] for key in sorted(item)] if isinstance(item, dict) else list(item)


def _flat_shapes(shapes: Any, count: int) -> list[TensorShape]:
    """The shapes of a structure, in which lists of sizes are shapes too."""
    if count == 1 and not (
        isinstance(shapes, tuple) and len(shapes) == 1 and isinstance(shapes[0], (list, tuple, TensorShape))
    ):
        return [TensorShape(shapes)]
    parts = list(shapes.values()) if isinstance(shapes, dict) else list(shapes)
    if len(parts) != count:
        fail("ValueError", "invalid_value", f"{count} shapes are needed, not {len(parts)}")
    return [TensorShape(s) for s in parts]


# --- iterators


@kind("MakeIterator", host=True)
def _run_make(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    pipeline = _Pipeline(frame, inputs, operation.inputs)
    frame.state.session.resources[operation.attributes["iterator"]] = pipeline.elements(
        operation.attributes["pipeline"]
    )
    return []


@kind("IteratorGetNext", host=True)
def _run_next(frame: Frame, operation: Operation, inputs: list[Any]) -> Any:
    session, name = frame.state.session, operation.attributes["iterator"]
    with session.lock:
        if name not in session.resources:
            step = operation.attributes["pipeline"]
            if step is None:
                _raise(
                    FailedPreconditionError,
                    "undefined_tensor",
                    f'the iterator "{name}" has not been initialized',
                    hint="session.run(iterator.initializer)",
                )
            session.resources[name] = _Pipeline(frame, inputs, operation.inputs).elements(step)
        element = next(session.resources[name], None)
    if element is None:
        _raise(OutOfRangeError, "invalid_value", f'the data set of "{name}" is at its end')
    return element


class Iterator:
    """A place in a data set. `get_next()` gives tensors that are the next element in each run.

    A run after the last element raises `tf.errors.OutOfRangeError`.
    """

    def __init__(
        self,
        name: str,
        structure: Any,
        dtypes: list[Any],
        shapes: list[TensorShape],
        dataset: Dataset | None,
        starts: bool,
    ):
        self.name = name
        self._structure, self._dtypes, self._shapes = structure, dtypes, shapes
        self._dataset, self._starts = dataset, starts
        self._initializer = None if dataset is None or starts else self.make_initializer(dataset)

    @staticmethod
    def from_structure(output_types: Any, output_shapes: Any = None) -> Iterator:
        """An iterator for any data set of such elements: see `make_initializer`."""
        dtypes = [as_dtype(d) for d in flatten(output_types)]
        shapes = (
            [TensorShape(None) for _ in dtypes]
            if output_shapes is None
            else _flat_shapes(output_shapes, len(dtypes))
        )
        return Iterator(
            get_default_graph().unique_name("Iterator"), output_types, dtypes, shapes, None, False
        )

    @property
    def initializer(self) -> Operation:
        """The operation that begins, with the values that placeholders have in its run."""
        if self._initializer is None:
            fail(
                "ValueError",
                "invalid_value",
                f'the iterator "{self.name}" has no initializer',
                "make_initializer(dataset)",
            )
        return self._initializer

    def make_initializer(self, dataset: Dataset, name: str | None = None) -> Operation:
        """An operation that begins with this data set."""
        if dataset._dtypes != self._dtypes:
            fail(
                "DTypeError",
                "wrong_dtype",
                f'the iterator "{self.name}" has elements of other dtypes than the data set',
            )
        attributes = {"iterator": self.name, "pipeline": dataset._step}
        return get_default_graph().add(KINDS["MakeIterator"], dataset._inputs, name, attributes=attributes)

    def get_next(self, name: str | None = None) -> Any:
        """The next element: tensors in the structure of the data set."""
        dataset = self._dataset if self._starts else None
        attributes = {"iterator": self.name, "pipeline": dataset._step if dataset else None}
        operation = get_default_graph().add(
            KINDS["IteratorGetNext"], dataset._inputs if dataset else [], name, attributes=attributes
        )
        return pack(self._structure, add_outputs(operation, list(zip(self._dtypes, self._shapes))))


def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """An iterator of which `session.run(iterator.initializer, feed_dict)` begins each pass."""
    name = get_default_graph().unique_name("Iterator")
    return Iterator(name, dataset._structure, dataset._dtypes, dataset._shapes, dataset, False)


def make_one_shot_iterator(dataset: Dataset) -> Iterator:
    """An iterator that begins by itself, once. Raises ValueError for a data set of placeholders."""
    from ._execution import needed

    for operation in needed([t.op for t in dataset._inputs]):
        if operation.kind.key in ("Placeholder", "VariableV2"):
            fail(
                "ValueError",
                "invalid_value",
                f'a one-shot iterator over what depends on "{operation.name}"',
                hint="tf.data.make_initializable_iterator(dataset)",
            )
    name = get_default_graph().unique_name("OneShotIterator")
    return Iterator(name, dataset._structure, dataset._dtypes, dataset._shapes, dataset, True)
