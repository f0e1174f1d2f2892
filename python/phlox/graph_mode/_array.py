"""Arrays of tensors that loops read and write: `tf.TensorArray`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import phlox

from .. import _phlox
from .._failure import fail
from ._calls import convert, create_function
from ._graph import get_default_graph
from ._kinds import KINDS, kind
from ._shapes import TensorShape
from ._tensors import Tensor, add_outputs, as_dtype

px: Any = phlox  # whose operations only its stub names


class ArrayValue:
    """What an array holds: single tensors by place, or one tensor of them all where places depend on data.

    It is never changed: writing gives another one.
    """

    def __init__(
        self,
        size: int,
        dtype: Any,
        dynamic: bool,
        elements: dict[int, Any],
        buffer: Any = None,
        shape: Any = None,
    ):
        self.size, self.dtype, self.dynamic = size, dtype, dynamic
        self.elements, self.buffer = elements, buffer
        self.shape = shape  # of an element, where it is known

    # Gradients and dtypes are those of the elements.
    requires_grad = False

    def element_shape(self) -> list[int]:
        """The shape of an element. Raises StateError while there is none."""
        if self.buffer is not None:
            return list(self.buffer.shape[1:])
        for element in self.elements.values():
            return list(element.shape)
        if self.shape is not None:
            return self.shape
        fail(
            "StateError",
            "undefined_tensor",
            "a TensorArray is read in which nothing has been written",
            hint="tf.TensorArray(dtype, size, element_shape=[...])",
        )

    def element_dtype(self) -> Any:
        """The dtype of an element."""
        return self.dtype

    def as_buffer(self, dtype: Any = None, shape: Any = None) -> ArrayValue:
        """The same array as one tensor; elements without a value are zeros."""
        if self.buffer is not None:
            return self
        shape = self.element_shape() if shape is None else shape
        empty = px.zeros(shape, dtype=self.dtype)
        parts = [self.elements.get(i, empty) for i in range(self.size)]
        buffer = px.stack(parts) if parts else px.zeros([0, *shape], dtype=self.dtype)
        return ArrayValue(self.size, self.dtype, self.dynamic, {}, buffer)

    def tensors(self) -> list[Any]:
        """The tensors of it that a captured loop carries."""
        buffer = self.as_buffer().buffer
        return [buffer]

    def of_tensors(self, tensors: Sequence[Any]) -> ArrayValue:
        """An array like this one with those tensors."""
        return ArrayValue(self.size, self.dtype, self.dynamic, {}, tensors[0])

    def place(self, index: Any, known: Any) -> Any:
        """The place as a number where it does not depend on data. Raises IndexError for one that is not there."""
        if known is None:
            return index
        place = int(known)
        if place < 0 or place >= self.size and not self.dynamic:
            fail("IndexError", "index_out_of_range", f"TensorArray: the place {place} of {self.size}")
        return place

    def read(self, index: Any, known: Any) -> Any:
        """The element at a place."""
        place = self.place(index, known)
        if self.buffer is not None:
            return self.buffer[place if isinstance(place, int) else place.to(px.int64)]
        if not isinstance(place, int):
            return self.as_buffer().read(index, known)
        if place not in self.elements:
            return px.zeros(self.element_shape(), dtype=self.dtype)
        return self.elements[place]

    def write(self, index: Any, known: Any, value: Any) -> ArrayValue:
        """The array with another element at a place."""
        if value.dtype is not self.dtype:
            fail(
                "DTypeError",
                "wrong_dtype",
                f"TensorArray of {self.dtype.name}: an element of {value.dtype.name}",
                value=value,
            )
        place = self.place(index, known)
        if isinstance(place, int) and self.buffer is None:
            size = max(self.size, place + 1)
            return ArrayValue(
                size, self.dtype, self.dynamic, {**self.elements, place: value}, None, self.shape
            )
        whole = self.as_buffer(shape=list(value.shape))
        number = px.tensor([place]) if isinstance(place, int) else place.to(px.int64).reshape(1)
        buffer = px.index_put(whole.buffer, [number], value.unsqueeze(0))
        return ArrayValue(self.size, self.dtype, self.dynamic, {}, buffer)

    def stack(self, shape: TensorShape | None = None) -> Any:
        """All elements along a new first dimension. `shape` is what is known of it, for arrays without elements."""
        if self.buffer is None and not self.elements and self.shape is None and self.size == 0:
            sizes = shape.as_list()[1:] if shape else []
            return px.zeros([0, *(s or 0 for s in sizes)], dtype=self.dtype)
        return self.as_buffer().buffer


@kind("TensorArray", "TensorArrayV3")
def _run_create(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    size = frame.known_value(operation.inputs[0])
    if size is None:  # it depends on data: what is captured ends here
        size = inputs[0].item()
    attributes = operation.attributes
    shape = attributes["element_shape"]
    shape = None if shape is None or None in shape else shape
    return [ArrayValue(int(size), attributes["dtype"], attributes["dynamic"], {}, None, shape)]


@kind("TensorArrayRead", "TensorArrayReadV3")
def _run_read(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    return [inputs[0].read(inputs[1], frame.known_value(operation.inputs[1]))]


@kind("TensorArrayWrite", "TensorArrayWriteV3")
def _run_write(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    return [inputs[0].write(inputs[1], frame.known_value(operation.inputs[1]), inputs[2])]


@kind("TensorArrayUnstack", "TensorArrayScatterV3")
def _run_unstack(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    array, value = inputs
    parts = dict(enumerate(value.unbind(0))) if value.shape[0] else {}
    if len(parts) > array.size and not array.dynamic:
        fail("ShapeError", "sizes_differ", f"TensorArray of {array.size}: {len(parts)} elements", value=value)
    size = max(array.size, len(parts))
    return [ArrayValue(size, array.dtype, array.dynamic, parts, None, list(value.shape[1:]))]


@kind("TensorArrayStack", "TensorArrayGatherV3")
def _run_stack(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    return [inputs[0].stack(operation.outputs[0].shape)]


@kind("TensorArrayConcat", "TensorArrayConcatV3")
def _run_concat(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    array = inputs[0]
    if array.buffer is not None:
        return [array.buffer.flatten(0, 1)]
    return [px.cat([array.read(None, i) for i in range(array.size)], 0)]


@kind("TensorArraySize", "TensorArraySizeV3")
def _run_size(frame: Any, operation: Any, inputs: list[Any]) -> Any:
    size = inputs[0].size
    frame.known.add(operation.outputs[0])
    return [_phlox._outside_capture(lambda: px.tensor(size, dtype=px.int32))]


class TensorArray:
    """So many tensors of one dtype, for loops: `write` gives the array after the write, which is to be used from then on.

    Example:
        squares = tf.TensorArray(tf.float32, size=3)
        for i in range(3):
            squares = squares.write(i, float(i * i))
        squares.stack()  # [0, 1, 4]
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool = False,
        clear_after_read: Any = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Tensor | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ):
        self.dtype = as_dtype(dtype)
        self._dynamic, self._infer_shape = bool(dynamic_size), infer_shape
        self.element_shape = TensorShape(element_shape)
        self._size = size
        if flow is None:
            sizes = self.element_shape.as_list() if self.element_shape else None
            attributes = {"dtype": self.dtype, "dynamic": self._dynamic, "element_shape": sizes}
            count = convert(
                0 if size is None else size, "int32" if isinstance(size, (int, type(None))) else None
            )
            operation = get_default_graph().add(
                KINDS["TensorArray"], [count], name or tensor_array_name, attributes=attributes
            )
            flow = add_outputs(operation, [(self.dtype, None)])[0]
        self.flow = flow

    def of_flow(self, flow: Tensor) -> TensorArray:
        """The same array where `flow` stands for it."""
        return TensorArray(
            self.dtype,
            self._size,
            self._dynamic,
            flow=flow,
            infer_shape=self._infer_shape,
            element_shape=self.element_shape,
        )

    @property
    def handle(self) -> Tensor:
        """The tensor that stands for the array."""
        return self.flow

    def _operation(
        self, key: str, inputs: list[Any], shape: Any, name: str | None, dtype: Any = None
    ) -> Tensor:
        operation = get_default_graph().add(KINDS[key], [self.flow, *inputs], name)
        return add_outputs(operation, [(dtype or self.dtype, shape)])[0]

    def _learn(self, shape: TensorShape) -> None:
        if self._infer_shape:
            if not self.element_shape.is_compatible_with(shape):
                fail(
                    "ShapeError",
                    "sizes_differ",
                    f"TensorArray: an element of the shape {shape} beside those of {self.element_shape}",
                    hint="infer_shape=False",
                )
            self.element_shape = self.element_shape.merge_with(shape)

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with another element at a place."""
        tensor = convert(value, self.dtype)
        self._learn(tensor.shape)
        return self.of_flow(self._operation("TensorArrayWrite", [convert(index), tensor], None, name))

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at a place; zeros where nothing was written."""
        return self._operation("TensorArrayRead", [convert(index)], self.element_shape, name)

    def stack(self, name: str | None = None) -> Tensor:
        """All elements along a new first dimension."""
        size = self._size if isinstance(self._size, int) and not self._dynamic else None
        return self._operation(
            "TensorArrayStack", [], TensorShape([size]).concatenate(self.element_shape), name
        )

    def concat(self, name: str | None = None) -> Tensor:
        """All elements one after the other along their first dimension."""
        shape = TensorShape([None]).concatenate(self.element_shape[1:]) if self.element_shape else None
        return self._operation("TensorArrayConcat", [], shape, name)

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array of the parts of a tensor along its first dimension."""
        tensor = convert(value, self.dtype)
        if tensor.shape:
            self._learn(tensor.shape[1:])
        return self.of_flow(self._operation("TensorArrayUnstack", [tensor], None, name))

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at these places, stacked."""
        return create_function("gather", (self.stack(), convert(indices)), {}, name)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the parts of a tensor at these places."""
        parts, array = convert(value, self.dtype), self
        places = convert(indices)
        count = places.shape.num_elements()
        if count is None:
            fail("ValueError", "invalid_value", "TensorArray.scatter(): the number of places must be known")
        for i in range(count):
            array = array.write(places[i], parts[i])
        return array

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array of parts of a tensor of these lengths along its first dimension."""
        array = TensorArray(self.dtype, self._size, self._dynamic, flow=self.flow, infer_shape=False)
        for i, part in enumerate(
            create_function("split", (convert(value, self.dtype), list(lengths), 0), {})
        ):
            array = array.write(i, part)
        return array

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements."""
        return self._operation("TensorArraySize", [], [], name, px.int32)

    def identity(self) -> TensorArray:
        """The same array."""
        return self

    def close(self, name: str | None = None) -> Any:
        """Does nothing: memory is freed by itself."""
        from ._order import no_op

        return no_op(name)
