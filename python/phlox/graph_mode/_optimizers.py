"""Optimizers as operations of a graph, with TensorFlow's formulas and names of slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import phlox

from .._failure import fail
from ._calls import convert, create_function, with_inputs
from ._gradients import gradients
from ._graph import GraphKeys, Operation, get_default_graph
from ._kinds import KINDS, function
from ._order import group
from ._tensors import IndexedSlices, Tensor, add_outputs
from ._variable_scopes import get_variable, get_variable_scope
from ._variables import Variable

px: Any = phlox  # whose operations only its stub names


def update(type: str, function_key: str, variables: Sequence[Variable], *args: Any) -> Operation:
    """An operation that gives variables new values: a function of their old ones and of the arguments."""
    inputs: list[Tensor] = []
    arguments = with_inputs(args, inputs)
    attributes = {"type": type, "function": function_key, "variables": [v.op.name for v in variables]}
    operation = get_default_graph().add(KINDS["UpdateVariables"], inputs, None, (arguments, {}), attributes)
    add_outputs(operation, [(variables[0].dtype, variables[0].shape)])
    return operation


# --- the formulas: new values from the old ones


@function("train.gradient_descent")
def _gradient_descent(now: list[Any], gradient: Any, rate: Any) -> list[Any]:
    return [now[0] - rate * gradient]


@function("train.momentum")
def _momentum(now: list[Any], gradient: Any, rate: Any, momentum: Any, nesterov: bool) -> list[Any]:
    value, accumulated = now
    accumulated = accumulated * momentum + gradient
    step = gradient * rate + accumulated * momentum * rate if nesterov else rate * accumulated
    return [value - step, accumulated]


@function("train.adam")
def _adam(
    now: list[Any], gradient: Any, rate: Any, beta1: Any, beta2: Any, epsilon: Any, power1: Any, power2: Any
) -> list[Any]:
    value, m, v = now
    rate = rate * px.sqrt(1 - power2) / (1 - power1)
    m = m + (gradient - m) * (1 - beta1)
    v = v + (gradient * gradient - v) * (1 - beta2)
    return [value - rate * m / (px.sqrt(v) + epsilon), m, v]


@function("train.adam_powers")
def _adam_powers(now: list[Any], beta1: Any, beta2: Any) -> list[Any]:
    return [now[0] * beta1, now[1] * beta2]


@function("train.adagrad")
def _adagrad(now: list[Any], gradient: Any, rate: Any) -> list[Any]:
    value, accumulated = now
    accumulated = accumulated + gradient * gradient
    return [value - rate * gradient * px.rsqrt(accumulated), accumulated]


@function("train.rms_prop")
def _rms_prop(now: list[Any], gradient: Any, rate: Any, decay: Any, momentum: Any, epsilon: Any) -> list[Any]:
    value, squares, moved = now
    squares = squares * decay + (1 - decay) * gradient * gradient
    moved = moved * momentum + rate * gradient * px.rsqrt(squares + epsilon)
    return [value - moved, squares, moved]


@function("train.centered_rms_prop")
def _centered_rms_prop(
    now: list[Any], gradient: Any, rate: Any, decay: Any, momentum: Any, epsilon: Any
) -> list[Any]:
    value, squares, mean, moved = now
    squares = squares * decay + (1 - decay) * gradient * gradient
    mean = mean * decay + (1 - decay) * gradient
    moved = moved * momentum + rate * gradient * px.rsqrt(squares - mean * mean + epsilon)
    return [value - moved, squares, mean, moved]


# --- the optimizers


class Optimizer:
    """Base class of optimizers: `minimize`, or `compute_gradients` and `apply_gradients` with something in between.

    A subclass has `_apply(gradient, variable)`, which gives an operation, and may have `_create_slots(variables)`.
    """

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2

    def __init__(self, use_locking: bool, name: str):
        if not name:
            fail("ValueError", "missing_argument", "an optimizer needs a name")
        self._name = name
        self._slots: dict[str, dict[str, Variable]] = {}

    def get_name(self) -> str:
        """The name."""
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """One step: an operation that changes the variables, and adds 1 to `global_step`."""
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Variable]]:
        """Pairs of gradient and variable, by default for all trainable variables; None where there is no gradient."""
        if callable(loss):
            loss = loss()
        variables = (
            get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES)
            if var_list is None
            else var_list
        )
        variables = [variables] if isinstance(variables, Variable) else list(variables)
        if not variables:
            fail(
                "ValueError", "missing_argument", "there are no variables to optimize", "tf.get_variable(...)"
            )
        return list(zip(gradients(loss, variables, grad_loss), variables))

    def apply_gradients(
        self,
        grads_and_vars: Sequence[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that changes variables by these gradients, and adds 1 to `global_step`."""
        pairs = [(_dense(g), v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            names = ", ".join(v.name for _, v in grads_and_vars)
            fail("ValueError", "invalid_value", f"there is a gradient for none of the variables {names}")
        graph = get_default_graph()
        with graph.root.as_default(), graph.control_dependencies(None):
            self._create_slots([v for _, v in pairs])
        with graph.name_scope(name or self._name) as scope:
            self._prepare()
            # All gradients come before the first change of a variable.
            with graph.control_dependencies([g for g, _ in pairs]):
                updates = []
                for gradient, variable in pairs:
                    with graph.name_scope(f"update_{variable.op.name}"):
                        updates.append(self._constrained(self._apply(gradient, variable), variable))
            updates += self._finish(updates)
            if global_step is None:
                done = group(*updates, name=scope)
            else:
                with graph.control_dependencies(updates):
                    done = global_step.assign_add(convert(1, global_step.dtype), name=scope).op
        graph.add_to_collection(GraphKeys.TRAIN_OP, done)
        return done

    def _constrained(self, operation: Operation, variable: Variable) -> Operation:
        if variable.constraint is None:
            return operation
        with get_default_graph().control_dependencies([operation]):
            return variable.assign(variable.constraint(variable.read_value())).op

    # --- slots

    def _slot(self, variable: Variable, slot: str, name: str, value: float = 0.0) -> Variable:
        """The variable that goes with another under this name, made where it is not there."""
        slots = self._slots.setdefault(slot, {})
        key = variable.op.name
        if key not in slots:
            graph, scope = variable.graph, get_variable_scope().name
            with graph.as_default(), graph.name_scope(None):
                initial = create_function("fill", (variable.shape.as_list(), value), {})
                initial = create_function("cast", (initial, variable.dtype), {})
                slots[key] = Variable(
                    initial, trainable=False, name=f"{scope}/{key}/{name}" if scope else f"{key}/{name}"
                )
        return slots[key]

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The variable that goes with another: "momentum", "m", "v", ...; None where there is none."""
        return self._slots.get(name, {}).get(var.op.name)

    def get_slot_names(self) -> list[str]:
        """The names of such variables."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """All variables of the optimizer itself."""
        return [v for slots in self._slots.values() for v in slots.values()]

    def _create_slots(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of these variables."""

    def _prepare(self) -> None:
        """Makes tensors of the settings."""

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        """The operation that changes one variable."""
        raise NotImplementedError("an optimizer needs _apply()")

    def _finish(self, updates: Sequence[Operation]) -> list[Operation]:
        """Operations after all changes."""
        return []


def _dense(gradient: Any) -> Tensor:
    return gradient.as_dense() if isinstance(gradient, IndexedSlices) else convert(gradient)


def _setting(value: Any, variable: Variable) -> Any:
    """A tensor in the dtype of the variable; a number, which TensorFlow rounds to float32; a function is called now."""
    value = value() if callable(value) and not hasattr(value, "as_tensor") else value
    if hasattr(value, "as_tensor"):
        return create_function("cast", (value, variable.dtype), {})
    return float(np.float32(value))


class GradientDescentOptimizer(Optimizer):
    """variable -= learning_rate * gradient."""

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"):
        super().__init__(use_locking, name)
        self._rate = learning_rate

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        rate = _setting(self._rate, variable)
        return update("ApplyGradientDescent", "train.gradient_descent", [variable], gradient, rate)


class MomentumOptimizer(Optimizer):
    """accumulated = momentum * accumulated + gradient; variable -= learning_rate * accumulated. Or Nesterov's form."""

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ):
        super().__init__(use_locking, name)
        self._rate, self._momentum, self._nesterov = learning_rate, momentum, use_nesterov

    def _create_slots(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self._slot(variable, "momentum", self._name)

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        both = [variable, self._slot(variable, "momentum", self._name)]
        settings = (_setting(self._rate, variable), _setting(self._momentum, variable), self._nesterov)
        return update("ApplyMomentum", "train.momentum", both, gradient, *settings)


class AdamOptimizer(Optimizer):
    """Adam with epsilon outside of the correction, as TensorFlow has it. Source: Kingma, Ba 2014, arXiv:1412.6980.

    Slots are "m" and "v", and the powers of the betas are variables "beta1_power" and "beta2_power".
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ):
        super().__init__(use_locking, name)
        self._rate, self._betas, self._epsilon = learning_rate, (beta1, beta2), epsilon
        self._powers: list[Variable] = []

    def _create_slots(self, variables: Sequence[Variable]) -> None:
        if not self._powers:
            with variables[0].graph.as_default():
                self._powers = [
                    Variable(_power(beta), trainable=False, name=f"beta{i}_power")
                    for i, beta in enumerate(self._betas, 1)
                ]
        for variable in variables:
            self._slot(variable, "m", self._name)
            self._slot(variable, "v", self._name)

    def variables(self) -> list[Variable]:
        """All variables of the optimizer itself."""
        return [*self._powers, *super().variables()]

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        three = [variable, *(self._slot(variable, slot, self._name) for slot in ("m", "v"))]
        settings = [_setting(s, variable) for s in (self._rate, *self._betas, self._epsilon, *self._powers)]
        return update("ApplyAdam", "train.adam", three, gradient, *settings)

    def _finish(self, updates: Sequence[Operation]) -> list[Operation]:
        with get_default_graph().control_dependencies(updates):
            betas = [_setting(beta, power) for beta, power in zip(self._betas, self._powers)]
            return [update("AdamPowers", "train.adam_powers", self._powers, *betas)]


def _power(beta: Any) -> Any:
    return create_function("cast", (beta, "float32"), {}) if hasattr(beta, "as_tensor") else float(beta)


class AdagradOptimizer(Optimizer):
    """Rates by the sum of squares so far. Source: Duchi, Hazan, Singer 2011."""

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ):
        super().__init__(use_locking, name)
        self._rate, self._initial = learning_rate, initial_accumulator_value

    def _create_slots(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self._slot(variable, "accumulator", self._name, self._initial)

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        both = [variable, self._slot(variable, "accumulator", self._name)]
        return update("ApplyAdagrad", "train.adagrad", both, gradient, _setting(self._rate, variable))


class RMSPropOptimizer(Optimizer):
    """Rates by a moving average of squares, plain or centred. Source: Tieleman, Hinton 2012."""

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ):
        super().__init__(use_locking, name)
        self._settings, self._centered = (learning_rate, decay, momentum, epsilon), centered

    def _create_slots(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self._all(variable)

    def _all(self, variable: Variable) -> list[Variable]:
        names = ["rms", "mg", "momentum"] if self._centered else ["rms", "momentum"]
        return [variable, *(self._slot(variable, n, self._name, float(n == "rms")) for n in names)]

    def _apply(self, gradient: Tensor, variable: Variable) -> Operation:
        settings = [_setting(s, variable) for s in self._settings]
        kind = (
            ("ApplyCenteredRMSProp", "train.centered_rms_prop")
            if self._centered
            else ("ApplyRMSProp", "train.rms_prop")
        )
        return update(*kind, self._all(variable), gradient, *settings)


# --- the step


def get_global_step(graph: Any = None) -> Variable | None:
    """The variable that counts steps, or None."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def create_global_step(graph: Any = None) -> Variable:
    """Makes the variable that counts steps. Raises ValueError where there is one."""
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        fail("ValueError", "invalid_value", "there is a global step already", "get_or_create_global_step()")
    with graph.as_default(), graph.name_scope(None):
        return get_variable(
            GraphKeys.GLOBAL_STEP,
            [],
            "int64",
            initializer=convert(0, "int64"),
            trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Any = None) -> Variable:
    """The variable that counts steps, int64, made where it is not there."""
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The number of steps in a session."""
    return int(sess.run(global_step_tensor))


# --- schedules


def _schedule(formula: Callable[..., Any]) -> Callable[..., Any]:
    function(f"train.{formula.__name__.strip('_')}")(formula)
    return formula


@_schedule
def _exponential_decay(step: Any, rate: Any, decay_steps: Any, decay_rate: Any, staircase: bool) -> Any:
    p = step.to(px.float32) / decay_steps
    return rate * px.as_tensor(decay_rate) ** (px.floor(p) if staircase else p)


@_schedule
def _inverse_time_decay(step: Any, rate: Any, decay_steps: Any, decay_rate: Any, staircase: bool) -> Any:
    p = step.to(px.float32) / decay_steps
    return rate / (1 + decay_rate * (px.floor(p) if staircase else p))


@_schedule
def _polynomial_decay(step: Any, rate: Any, decay_steps: Any, end: Any, power: Any) -> Any:
    p = px.clamp_max(step.to(px.float32), decay_steps) / decay_steps
    return (rate - end) * (1 - p) ** power + end


@_schedule
def _cosine_decay(step: Any, rate: Any, decay_steps: Any, alpha: Any) -> Any:
    p = px.clamp_max(step.to(px.float32), decay_steps) / decay_steps
    return rate * ((1 - alpha) * 0.5 * (1 + px.cos(px.pi * p)) + alpha)


@_schedule
def _piecewise_constant(step: Any, boundaries: Any, values: Any) -> Any:
    place = (step > px.tensor(boundaries).to(step.dtype)).sum()
    return px.tensor(values)[place]


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * decay_rate ** (global_step / decay_steps); with `staircase` the exponent is rounded down."""
    return create_function(
        "train.exponential_decay",
        (convert(global_step), learning_rate, decay_steps, decay_rate, staircase),
        {},
        name,
    )


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate / (1 + decay_rate * global_step / decay_steps)."""
    return create_function(
        "train.inverse_time_decay",
        (convert(global_step), learning_rate, decay_steps, decay_rate, staircase),
        {},
        name,
    )


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    name: str | None = None,
) -> Tensor:
    """From learning_rate to end_learning_rate in `decay_steps` steps, along a power of the time that is left."""
    return create_function(
        "train.polynomial_decay",
        (convert(global_step), learning_rate, decay_steps, end_learning_rate, power),
        {},
        name,
    )


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: Any = 0.0, name: str | None = None
) -> Tensor:
    """From learning_rate to alpha * learning_rate in `decay_steps` steps, along half a cosine."""
    return create_function(
        "train.cosine_decay", (convert(global_step), learning_rate, decay_steps, alpha), {}, name
    )


def piecewise_constant(
    x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None
) -> Tensor:
    """values[i] for the first i with x <= boundaries[i], the last value beyond."""
    if len(values) != len(boundaries) + 1:
        fail(
            "ValueError",
            "invalid_value",
            f"{len(boundaries)} boundaries need {len(boundaries) + 1} values, not {len(values)}",
        )
    return create_function("train.piecewise_constant", (convert(x), list(boundaries), list(values)), {}, name)


# --- averages


@function("train.moving_average")
def _moving_average(now: list[Any], value: Any, decay: Any) -> list[Any]:
    return [now[0] - (now[0] - value) * (1 - decay)]


@function("train.unbiased_average")
def _unbiased_average(now: list[Any], value: Any, decay: Any) -> list[Any]:
    _, biased, steps = now
    biased = biased - (biased - value) * (1 - decay)
    steps = steps + 1
    return [biased / (1 - px.as_tensor(decay).to(biased.dtype) ** steps), biased, steps]


class ExponentialMovingAverage:
    """Averages of variables over time: average -= (1 - decay) * (average - variable), which begins with their first value.

    `num_updates` makes the decay smaller in the beginning: min(decay, (1 + n) / (10 + n)). Averages of other tensors begin
    with zeros, which is corrected.

    Example:
        averages = tf.train.ExponentialMovingAverage(0.99)
        with tf.control_dependencies([train_op]):
            train_op = averages.apply(tf.trainable_variables())
        saver = tf.train.Saver(averages.variables_to_restore())  # reads the averages into the variables
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ):
        self._decay, self._num_updates, self._zero_debias, self.name = decay, num_updates, zero_debias, name
        self._averages: dict[Any, Variable] = {}

    def apply(self, var_list: Sequence[Any] | None = None) -> Operation:
        """An operation that updates the averages of these variables, by default of all trainable ones."""
        graph = get_default_graph()
        items = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES) if var_list is None else list(var_list)
        updates = []
        for item in items:
            if not item.dtype.is_floating_point:
                fail("TypeError", "wrong_dtype", f'the average of "{item.name}", which is {item.dtype.name}')
        with graph.name_scope(self.name):
            decay = self._current_decay()
            for item in items:
                debias = self._zero_debias or not isinstance(item, Variable)
                average = self._average_of(item, debias)
                value = item.read_value() if isinstance(item, Variable) else item
                if debias:
                    more = self._extra[item]
                    updates.append(
                        update(
                            "AssignMovingAverage", "train.unbiased_average", [average, *more], value, decay
                        )
                    )
                else:
                    updates.append(
                        update("AssignMovingAverage", "train.moving_average", [average], value, decay)
                    )
            return group(*updates, name="apply")

    def _current_decay(self) -> Any:
        if self._num_updates is None:
            return self._decay
        n = create_function("cast", (self._num_updates, "float32"), {})
        return create_function("minimum", (convert(self._decay, "float32"), (n + 1) / (n + 10)), {})

    @property
    def _extra(self) -> dict[Any, list[Variable]]:
        return self.__dict__.setdefault("_extra_variables", {})

    def _average_of(self, item: Any, debias: bool) -> Variable:
        if item in self._averages:
            return self._averages[item]
        graph = get_default_graph().root
        scope = get_variable_scope().name
        name = f"{scope}/{item.op.name}/{self.name}" if scope else f"{item.op.name}/{self.name}"
        with graph.as_default(), graph.name_scope(None), graph.control_dependencies(None):
            sizes = item.shape.as_list()
            initial = (
                item.initialized_value()
                if isinstance(item, Variable) and not debias
                else create_function("zeros", (sizes, item.dtype), {})
            )
            keys = [GraphKeys.GLOBAL_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES]
            self._averages[item] = Variable(initial, trainable=False, collections=keys, name=name)
            if debias:
                zeros = create_function("zeros", (sizes, item.dtype), {})
                self._extra[item] = [
                    Variable(zeros, trainable=False, name=f"{name}/biased"),
                    Variable(
                        create_function("zeros", ([], item.dtype), {}),
                        trainable=False,
                        name=f"{name}/local_step",
                    ),
                ]
        return self._averages[item]

    def average(self, var: Any) -> Variable | None:
        """The variable that holds the average, or None."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name of the average in checkpoints."""
        return f"{var.op.name}/{self.name}"

    def variables_to_restore(
        self, moving_avg_variables: Sequence[Variable] | None = None
    ) -> dict[str, Variable]:
        """For a Saver that reads averages into variables: by name in the checkpoint, and others under their own."""
        graph = get_default_graph()
        averaged = (
            [
                *graph.get_collection(GraphKeys.TRAINABLE_VARIABLES),
                *graph.get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES),
            ]
            if moving_avg_variables is None
            else list(moving_avg_variables)
        )
        own = set(self._averages.values())
        averaged = [v for v in averaged if v not in own]
        found = {self.average_name(v): v for v in averaged}
        rest = [
            v for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES) if v not in averaged and v not in own
        ]
        return {**found, **{v.op.name: v for v in rest}}
