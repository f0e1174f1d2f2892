"""Cells of recurrent networks: one step in time, `output, state = cell(input, state)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..._failure import fail as _fail
from .._bodies import map_structure as _map_structure
from .._calls import convert as _convert
from .._calls import create_function as _call
from .._graph import get_default_graph as _get_default_graph
from .._variable_scopes import get_variable as _get_variable
from .._variable_scopes import variable_scope as _variable_scope
from ..initializers import Constant as _Constant
from ..initializers import Zeros as _Zeros


class LSTMStateTuple(NamedTuple):
    """The state of an LSTM cell: its memory, and what it gave last."""

    c: Any
    h: Any


def _tanh(x: Any) -> Any:
    return _call("tanh", (x,), {})


def _sigmoid(x: Any) -> Any:
    return _call("sigmoid", (x,), {})


def _joined(*tensors: Any) -> Any:
    return _call("concat", (list(tensors), 1), {})


class RNNCell:
    """Base class of cells. A subclass has `state_size`, `output_size`, `build(input_size)` and `call(input, state)`.

    `__call__` makes the variables in the variable scope of the first call, and uses them from then on.
    """

    name = "rnn_cell"

    def __init__(self, name: str | None = None, reuse: Any = None, dtype: Any = None, trainable: bool = True):
        self.name = name or self.name
        self._reuse, self.dtype, self.trainable = reuse, dtype, trainable
        self._graph: Any = None
        self.variables: dict[str, Any] = {}

    @property
    def state_size(self) -> Any:
        """The sizes of the state, in its structure."""
        raise NotImplementedError("a cell needs state_size")

    @property
    def output_size(self) -> Any:
        """The size of the output."""
        raise NotImplementedError("a cell needs output_size")

    @property
    def weights(self) -> list[Any]:
        """The variables, once the cell was called."""
        return list(self.variables.values())

    @property
    def trainable_weights(self) -> list[Any]:
        """The trainable variables, once the cell was called."""
        return [v for v in self.weights if v.trainable]

    def add_variable(self, name: str, shape: Sequence[int], initializer: Any = None) -> Any:
        """Makes a variable of the cell, in build()."""
        self.variables[name] = _get_variable(
            name, shape, self.dtype, initializer=initializer, trainable=self.trainable
        )
        return self.variables[name]

    def build(self, input_size: int) -> None:
        """Makes the variables."""

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """One step: the output and the next state."""
        raise NotImplementedError("a cell needs call()")

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        """One step: the output and the next state."""
        graph = _get_default_graph().root
        if self._graph is not graph:
            size = _input_size(inputs)
            with _variable_scope(scope or self.name, reuse=self._reuse):
                self.variables = {}
                self.build(size)
            self._graph = graph
        with _get_default_graph().name_scope(self.name):
            return self.call(inputs, state)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros for a batch of this size, which may be a tensor."""
        return _map_structure(lambda size: _zeros(batch_size, size, dtype), self.state_size)


def _zeros(batch_size: Any, size: Any, dtype: Any) -> Any:
    sizes = [size] if isinstance(size, int) else list(size)
    return _call("zeros", ([batch_size, *sizes], dtype), {})


def _input_size(inputs: Any) -> int:
    tensor = _convert(inputs[0] if isinstance(inputs, (tuple, list)) else inputs)
    size = tensor.shape.as_list()[-1] if tensor.shape else None
    if size is None:
        _fail(
            "ValueError",
            "invalid_value",
            f'the last size of the input of a cell, "{tensor.name}", must be known',
            hint="tf.placeholder(tf.float32, [None, None, 10])",
        )
    return size


class BasicRNNCell(RNNCell):
    """output = state = activation([input, state] @ kernel + bias)."""

    name = "basic_rnn_cell"

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reuse, dtype)
        self.num_units, self.activation = num_units, activation or _tanh

    @property
    def state_size(self) -> int:
        """The number of units."""
        return self.num_units

    @property
    def output_size(self) -> int:
        """The number of units."""
        return self.num_units

    def build(self, input_size: int) -> None:
        """Makes kernel and bias."""
        self.add_variable("kernel", [input_size + self.num_units, self.num_units])
        self.add_variable("bias", [self.num_units], _Zeros())

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """One step."""
        product = _call("matmul", (_joined(inputs, state), self.variables["kernel"]), {})
        output = self.activation(product + self.variables["bias"])
        return output, output


class GRUCell(RNNCell):
    """Gated recurrent unit, whose reset gate acts before the product. Source: Cho et al. 2014, arXiv:1406.1078."""

    name = "gru_cell"

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reuse, dtype)
        self.num_units, self.activation = num_units, activation or _tanh
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    @property
    def state_size(self) -> int:
        """The number of units."""
        return self.num_units

    @property
    def output_size(self) -> int:
        """The number of units."""
        return self.num_units

    def build(self, input_size: int) -> None:
        """Makes kernels and biases of the gates and of the candidate."""
        size = input_size + self.num_units
        self.add_variable("gates/kernel", [size, 2 * self.num_units], self.kernel_initializer)
        self.add_variable("gates/bias", [2 * self.num_units], self.bias_initializer or _Constant(1.0))
        self.add_variable("candidate/kernel", [size, self.num_units], self.kernel_initializer)
        self.add_variable("candidate/bias", [self.num_units], self.bias_initializer or _Zeros())

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """One step."""
        v = self.variables
        gates = _sigmoid(_call("matmul", (_joined(inputs, state), v["gates/kernel"]), {}) + v["gates/bias"])
        r, u = _call("split", (gates, 2, 1), {})
        both = _joined(inputs, r * state)
        candidate = self.activation(_call("matmul", (both, v["candidate/kernel"]), {}) + v["candidate/bias"])
        new = u * state + (1 - u) * candidate
        return new, new


class LSTMCell(RNNCell):
    """Long short-term memory, with peepholes and a projection where asked for. Source: Sak, Senior, Beaufays 2014.

    The state is an LSTMStateTuple, or one tensor [batch, memory + output] with `state_is_tuple=False`.
    """

    name = "lstm_cell"

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: Any = None,
        num_proj_shards: Any = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name, reuse, dtype)
        self.num_units, self.num_proj = num_units, num_proj
        self.use_peepholes, self.initializer = use_peepholes, initializer
        self.cell_clip, self.proj_clip, self.forget_bias = cell_clip, proj_clip, forget_bias
        self.state_is_tuple, self.activation = state_is_tuple, activation or _tanh

    @property
    def state_size(self) -> Any:
        """The sizes of memory and output."""
        sizes = LSTMStateTuple(self.num_units, self.output_size)
        return sizes if self.state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> int:
        """The number of units, or that of the projection."""
        return self.num_proj or self.num_units

    def build(self, input_size: int) -> None:
        """Makes kernel, bias, peepholes and projection."""
        units = self.num_units
        self.add_variable("kernel", [input_size + self.output_size, 4 * units], self.initializer)
        self.add_variable("bias", [4 * units], _Zeros())
        for gate in ("f", "i", "o") if self.use_peepholes else ():
            self.add_variable(f"w_{gate}_diag", [units], self.initializer)
        if self.num_proj:
            self.add_variable("projection/kernel", [units, self.num_proj], self.initializer)

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """One step."""
        v = self.variables
        if self.state_is_tuple:
            c, h = state
        else:
            c, h = _call("split", (state, [self.num_units, self.output_size], 1), {})
        product = _call("matmul", (_joined(inputs, h), v["kernel"]), {}) + v["bias"]
        i, j, f, o = _call("split", (product, 4, 1), {})
        f = f + self.forget_bias
        if self.use_peepholes:
            i, f = i + v["w_i_diag"] * c, f + v["w_f_diag"] * c
        c = _sigmoid(f) * c + _sigmoid(i) * self.activation(j)
        if self.cell_clip is not None:
            c = _call("clip_by_value", (c, -self.cell_clip, self.cell_clip), {})
        o = o + v["w_o_diag"] * c if self.use_peepholes else o
        h = _sigmoid(o) * self.activation(c)
        if self.num_proj:
            h = _call("matmul", (h, v["projection/kernel"]), {})
            if self.proj_clip is not None:
                h = _call("clip_by_value", (h, -self.proj_clip, self.proj_clip), {})
        return h, LSTMStateTuple(c, h) if self.state_is_tuple else _joined(c, h)


class BasicLSTMCell(LSTMCell):
    """Long short-term memory without peepholes and projection."""

    name = "basic_lstm_cell"

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(
            num_units,
            forget_bias=forget_bias,
            state_is_tuple=state_is_tuple,
            activation=activation,
            reuse=reuse,
            name=name,
            dtype=dtype,
        )


class MultiRNNCell(RNNCell):
    """Cells on top of each other; the state is the tuple of theirs."""

    name = "multi_rnn_cell"

    def __init__(self, cells: Sequence[RNNCell], state_is_tuple: bool = True):
        super().__init__()
        if not cells:
            _fail("ValueError", "missing_argument", "MultiRNNCell: no cells are given")
        if not state_is_tuple:
            _fail(
                "NotSupportedError",
                "not_supported",
                "MultiRNNCell: the state is a tuple",
                "state_is_tuple=True",
            )
        if len(set(map(id, cells))) != len(cells):
            _fail(
                "ValueError",
                "invalid_value",
                "MultiRNNCell: one cell is given twice, which would share its variables",
                hint="[LSTMCell(n) for _ in range(2)]",
            )
        self.cells = list(cells)

    @property
    def state_size(self) -> Any:
        """The sizes of the states."""
        return tuple(cell.state_size for cell in self.cells)

    @property
    def output_size(self) -> Any:
        """The size of the output of the last cell."""
        return self.cells[-1].output_size

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        """One step."""
        states = []
        with _variable_scope(scope or self.name):
            for number, (cell, own) in enumerate(zip(self.cells, state)):
                with _variable_scope(f"cell_{number}"):
                    inputs, new = cell(inputs, own)
                states.append(new)
        return inputs, tuple(states)


class _Wrapper(RNNCell):
    """A cell that is another with something more."""

    def __init__(self, cell: RNNCell):
        super().__init__(cell.name)
        self.cell = cell

    @property
    def state_size(self) -> Any:
        """The sizes of the state of the cell."""
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        """The size of the output of the cell."""
        return self.cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros."""
        return self.cell.zero_state(batch_size, dtype)


class DropoutWrapper(_Wrapper):
    """A cell with dropout of inputs, outputs and states; the memory of an LSTM is kept whole.

    With `variational_recurrent` the same elements are dropped in all steps, which needs `dtype`, and `input_size` for
    inputs. Source: Gal, Ghahramani 2015, arXiv:1512.05287.
    """

    def __init__(
        self,
        cell: RNNCell,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
    ):
        super().__init__(cell)
        self.keep = {"input": input_keep_prob, "output": output_keep_prob, "state": state_keep_prob}
        for what, keep in self.keep.items():
            if isinstance(keep, (int, float)) and not 0 < keep <= 1:
                _fail(
                    "ValueError",
                    "invalid_value",
                    f"DropoutWrapper: {what}_keep_prob is {keep}, and not in (0, 1]",
                )
        self.seed, self._noise = seed, {}
        if dropout_state_filter_visitor is not None:
            _fail("NotSupportedError", "not_supported", "DropoutWrapper: dropout_state_filter_visitor")
        if variational_recurrent:
            if dtype is None or input_size is None and self._drops("input"):
                _fail(
                    "ValueError",
                    "missing_argument",
                    "DropoutWrapper: variational_recurrent needs dtype and input_size",
                )
            self._noise = {
                "input": self._uniform(input_size, dtype) if self._drops("input") else None,
                "output": self._uniform(self.output_size, dtype),
                "state": _map_structure(lambda size: self._uniform(size, dtype), self.state_size),
            }

    def _drops(self, what: str) -> bool:
        keep = self.keep[what]
        return not (isinstance(keep, (int, float)) and keep == 1)

    def _uniform(self, size: Any, dtype: Any) -> Any:
        sizes = [size] if isinstance(size, int) else list(size)
        return _call("random_uniform", ([1, *sizes], 0, 1, dtype, self.seed), {})

    def _dropped(self, what: str, values: Any) -> Any:
        if not self._drops(what):
            return values
        keep = self.keep[what]
        if self._noise:
            return _map_structure(
                lambda x, noise: x / keep * _call("cast", (noise < keep, _convert(x).dtype), {}),
                values,
                self._noise[what],
            )
        return _map_structure(lambda x: _call("nn.dropout", (x, keep), {"seed": self.seed}), values)

    def _dropped_state(self, state: Any) -> Any:
        if isinstance(state, LSTMStateTuple):
            noise = self._noise
            if noise:
                self._noise = {**noise, "state": noise["state"].h}
            h = self._dropped("state", state.h)
            self._noise = noise
            return LSTMStateTuple(state.c, h)
        if isinstance(state, tuple) and not self._noise:
            return type(state)(self._dropped_state(part) for part in state)
        return self._dropped("state", state)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        """One step."""
        output, new = self.cell(self._dropped("input", inputs), state, scope)
        return self._dropped("output", output), self._dropped_state(new) if self._drops("state") else new


class ResidualWrapper(_Wrapper):
    """A cell whose input is added to its output. Source: Wu et al. 2016, arXiv:1609.08144."""

    def __init__(self, cell: RNNCell, residual_fn: Callable[[Any, Any], Any] | None = None):
        super().__init__(cell)
        self.residual = residual_fn or (lambda inputs, outputs: inputs + outputs)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        """One step."""
        output, new = self.cell(inputs, state, scope)
        return self.residual(inputs, output), new
