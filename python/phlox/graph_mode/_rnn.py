"""Recurrent networks: a cell step after step, in a loop of the graph or written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._failure import fail
from ._array import TensorArray
from ._bodies import flatten, map_structure, pack
from ._calls import convert, create_function
from ._loops import while_loop
from ._tensors import Tensor
from ._variable_scopes import variable_scope


def _rows_where(condition: Tensor, new: Any, old: Any) -> Any:
    """Row by row `new` where the condition holds, else `old`; what has no rows stays new."""

    def choose(n: Any, o: Any) -> Any:
        if isinstance(n, TensorArray):
            return n
        n, o = convert(n), convert(o)
        return create_function("where", (condition, n, o), {}) if n.shape.ndims != 0 else n

    return map_structure(choose, new, old)


def _initial_state(cell: Any, batch: Any, initial_state: Any, dtype: Any) -> Any:
    if initial_state is not None:
        return map_structure(convert, initial_state)
    if dtype is None:
        fail(
            "ValueError",
            "missing_argument",
            "a recurrent network needs dtype or initial_state",
            "dtype=tf.float32",
        )
    return cell.zero_state(batch, dtype)


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: Any = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """The outputs of a cell over time, and its last state. Inputs: [batch, time, ...], or [time, batch, ...].

    After `sequence_length[i]` steps the outputs of row i are zeros, and its state stays. Begins with zeros of `dtype`, or
    with `initial_state`.
    """
    with variable_scope(scope or "rnn"):
        tensors = [convert(x) for x in flatten(inputs)]
        if not time_major:
            tensors = [_swapped(x) for x in tensors]
        sizes = create_function("shape", (tensors[0],), {})
        time, batch = sizes[0], sizes[1]
        known = tensors[0].shape.as_list()
        state = _initial_state(cell, known[1] if known[1] is not None else batch, initial_state, dtype)
        lengths = None if sequence_length is None else create_function("cast", (sequence_length, "int32"), {})
        arrays = [TensorArray(x.dtype, time).unstack(x) for x in tensors]
        output_arrays = [TensorArray(flatten(state)[0].dtype, time) for _ in flatten(cell.output_size)]

        def body(t: Any, state: Any, outputs: Any) -> Any:
            step = pack(inputs, [a.read(t) for a in arrays])
            output, new = cell(step, state)
            new = pack(state, flatten(new))
            if lengths is not None:
                going = t < lengths
                output = _rows_where(
                    going, output, map_structure(lambda o: create_function("zeros_like", (o,), {}), output)
                )
                new = _rows_where(going, new, state)
            written = [a.write(t, o) for a, o in zip(outputs, flatten(output))]
            return t + 1, new, written

        _, state, output_arrays = while_loop(lambda t, *_: t < time, body, (convert(0), state, output_arrays))
        outputs = [a.stack() for a in output_arrays]
        for output in outputs:
            if output.shape:
                output.set_shape([*known[:2], *output.shape.as_list()[2:]])
        if not time_major:
            outputs = [_swapped(o) for o in outputs]
        return pack(cell.output_size, outputs), state


def _swapped(x: Tensor) -> Tensor:
    """With time and batch in each other's place."""
    rank = x.shape.ndims
    if rank is None:
        fail("ValueError", "invalid_value", f'the number of dimensions of the input "{x.name}" must be known')
    return create_function("transpose", (x, [1, 0, *range(2, rank)]), {})


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: Any = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """`dynamic_rnn` forwards and backwards in time: both outputs, and both last states."""
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def reverse(x: Any) -> Any:
        tensor = convert(x)
        if sequence_length is None:
            return create_function("reverse", (tensor, [time_axis]), {})
        return create_function("reverse_sequence", (tensor, sequence_length, time_axis, batch_axis), {})

    def run(cell: Any, inputs: Any, state: Any, name: str) -> tuple[Any, Any]:
        return dynamic_rnn(cell, inputs, sequence_length, state, dtype, time_major=time_major, scope=name)

    with variable_scope(scope or "bidirectional_rnn"):
        forward, forward_state = run(cell_fw, inputs, initial_state_fw, "fw")
        backward, backward_state = run(cell_bw, map_structure(reverse, inputs), initial_state_bw, "bw")
        return (forward, map_structure(reverse, backward)), (forward_state, backward_state)


def static_rnn(
    cell: Any,
    inputs: Sequence[Any],
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """The outputs of a cell for a list of inputs [batch, ...], one step each, and its last state: written out, no loop."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        fail(
            "TypeError", "wrong_argument_type", "static_rnn() takes a list of inputs", "tf.unstack(x, axis=1)"
        )
    with variable_scope(scope or "rnn") as opened:
        first = convert(flatten(inputs[0])[0])
        known = first.shape.as_list()[0] if first.shape else None
        batch = known if known is not None else create_function("shape", (first,), {})[0]
        state = _initial_state(cell, batch, initial_state, dtype)
        lengths = None if sequence_length is None else create_function("cast", (sequence_length, "int32"), {})
        outputs = []
        for time, step in enumerate(inputs):
            if time:
                opened.reuse_variables()
            output, new = cell(step, state)
            if lengths is not None:
                going = lengths > time
                output = _rows_where(
                    going, output, map_structure(lambda o: create_function("zeros_like", (o,), {}), output)
                )
                new = _rows_where(going, new, state)
            state = new
            outputs.append(output)
        return outputs, state


def raw_rnn(
    cell: Any,
    loop_fn: Callable[..., Any],
    parallel_iterations: Any = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple[Any, Any, Any]:
    """A cell in a loop that `loop_fn(time, output, state, loop_state)` steers; gives (TensorArrays, last state, loop state).

    loop_fn gives (finished rows, next input, next state, what to emit, next loop state). At time 0, output, state and loop
    state are None, and the third result is the first state. It goes on until all rows are finished; rows that are emit
    zeros and keep their state.
    """
    with variable_scope(scope or "rnn"):
        finished, first_input, state, emit, loop_state = loop_fn(convert(0), None, None, None)
        has_loop_state = loop_state is not None
        loop_state = convert(0) if loop_state is None else loop_state
        finished = convert(finished)
        state = map_structure(convert, state)
        dtype = flatten(state)[0].dtype
        emitted = cell.output_size if emit is None else emit
        kinds = [dtype if isinstance(e, int) else convert(e).dtype for e in flatten(emitted)]
        arrays = [TensorArray(kind, 0, dynamic_size=True) for kind in kinds]
        variables = (convert(0), finished, map_structure(convert, first_input), arrays, state, loop_state)

        def going(time: Any, finished: Any, *_: Any) -> Any:
            return create_function("logical_not", (create_function("reduce_all", (finished,), {}),), {})

        def body(time: Any, finished: Any, step: Any, arrays: Any, state: Any, loop_state: Any) -> Any:
            output, cell_state = cell(step, state)
            next_finished, next_input, next_state, emit, next_loop = loop_fn(
                time + 1, output, cell_state, loop_state
            )
            emit = output if emit is None else emit
            zeros = map_structure(lambda e: create_function("zeros_like", (e,), {}), emit)
            emit = _rows_where(finished, zeros, emit)
            next_state = _rows_where(finished, state, pack(state, flatten(next_state)))
            written = [a.write(time, e) for a, e in zip(arrays, flatten(emit))]
            done = create_function("logical_or", (finished, next_finished), {})
            next_loop = loop_state if next_loop is None else next_loop
            return time + 1, done, next_input, written, next_state, next_loop

        _, _, _, arrays, state, loop_state = while_loop(going, body, variables)
        return pack(emitted, arrays), state, loop_state if has_loop_state else None
