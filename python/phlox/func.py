"""Functions of functions: gradients, Jacobians and batches of whole functions, with the signatures of `torch.func`.

They compose in any order: `px.vmap(px.func.grad(loss))` gives the gradient of each sample, `px.func.grad` of a function
that calls `px.vmap` the gradient of the whole batch, `px.func.jacfwd(px.func.jacrev(f))` second derivatives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import _phlox
from ._failure import fail
from ._followed import expect, now
from ._modes import enable_grad, is_grad_enabled, no_grad
from ._phlox import Tensor
from ._structures import flatten_values as flatten
from ._structures import unflatten
from ._vmap import vmap
from .autograd.checkpointing import checkpoint

__all__ = [
    "checkpoint",
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]

Argnums = int | tuple[int, ...]


def _own(tensor: Tensor) -> Tensor:
    """The same tensor as one to differentiate by; gradients around go on through it."""
    if tensor.requires_grad:
        return tensor.view(tensor.shape)
    # In a capture with memory of its own, so that gradients of its results do not flow to two tensors in one memory.
    detached = tensor.detach()
    return (detached.clone() if _phlox._is_capturing() else detached).requires_grad_()


def _chosen(name: str, args: tuple[Any, ...], argnums: Argnums) -> tuple[int, ...]:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            fail(
                "ValueError",
                "invalid_value",
                f"{name}: argnums has {number}, but the function was called with {len(args)} positional arguments",
                f"numbers from 0 to {len(args) - 1}" if args else "positional arguments",
            )
    return tuple(number % len(args) for number in numbers)


class _Call:
    """A call whose chosen arguments are there to differentiate by. Gradients are recorded in its scope."""

    def __init__(self, name: str, function: Callable[..., Any], argnums: Argnums, has_aux: bool):
        self.name, self.function, self.argnums, self.has_aux = name, function, argnums, has_aux
        self.recorded = is_grad_enabled()  # around the call
        self.inputs: list[Tensor] = []
        self.aux: Any = None

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        numbers = _chosen(self.name, args, self.argnums)
        given = list(args)
        tensors: list[Tensor] = []
        self.structure = flatten([given[n] for n in numbers], tensors)
        if not tensors:
            fail("ValueError", "invalid_value", f"{self.name}: there is no tensor to differentiate by")
        for i, tensor in enumerate(tensors):
            if not (tensor.dtype.is_floating_point or tensor.dtype.is_complex):
                fail(
                    "DTypeError",
                    "requires_grad_dtype",
                    f"{self.name}: tensor {i} to differentiate by holds {tensor.dtype.name}",
                    "argnums chooses the arguments; floats have gradients",
                    input=tensor,
                )
        self.inputs = [_own(tensor) for tensor in tensors]
        for number, argument in zip(numbers, unflatten(self.structure, self.inputs)):
            given[number] = argument
        result = now(self.function)(*given, **kwargs)
        if self.has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                fail(
                    "TypeError",
                    "wrong_argument_type",
                    f"{self.name}: with has_aux the function gives a pair: result and what goes with it",
                )
            result, self.aux = result
        return result

    def outputs(self, result: Any) -> list[Tensor]:
        """The tensors of the result; whether they depend on anything else that gradients flow to is noted."""
        tensors: list[Tensor] = []
        flatten(result, tensors)
        # Gradients of gradients are wanted where something else than the inputs leads here.
        made = [i for i in self.inputs if i.is_leaf]
        self.open = self.recorded and _phlox._depends_on_others(tensors, made)
        return tensors

    def leave(self, structure: Any) -> Any:
        """A result for the program around the call."""
        if self.open:
            return structure
        tensors: list[Tensor] = []
        parts = flatten(structure, tensors)
        return unflatten(parts, [t.detach() for t in tensors])

    def gradients(
        self, outputs: list[Tensor], weights: Sequence[Tensor | None], retain: bool = False
    ) -> list[Tensor]:
        """The gradients of the inputs; zeros where there are none."""
        used: list[tuple[Tensor, Any]] = [(o, w) for o, w in zip(outputs, weights) if o.requires_grad]
        if not used:
            return [_phlox.zeros_like(i) for i in self.inputs]
        create = self.open or (retain and any(w is not None and w.requires_grad for _, w in used))
        found = _phlox._grad(
            [o for o, _ in used], self.inputs, [w for _, w in used], retain or create, create, True
        )
        gradients: list[Tensor] = []
        for tensor, gradient in zip(self.inputs, found):
            if gradient is None:
                gradients.append(_phlox.zeros_like(tensor))
            else:
                gradients.append(gradient)
        return gradients

    def shaped(self, gradients: list[Any]) -> Any:
        """One for each input, as the arguments are: a single one for an integer, else a tuple."""
        parts = unflatten(self.structure, gradients)
        return parts[0] if isinstance(self.argnums, int) else tuple(parts)


def value_and_grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that gives the value of `func` and its gradient: `(value, gradient)`.

    `func` gives a tensor of one real element; with `has_aux` a pair of it and of anything else, which comes back as
    `((value, aux), gradient)`. The gradient is that by positional argument `argnums`, which may be a structure of tensors,
    and has its structure; a tuple of numbers gives a tuple of gradients.

    `torch.func.grad_and_value`, here under that name too, gives the gradient first.

        >>> px.func.value_and_grad(lambda x: x * x)(px.tensor(3.0))
        (tensor(9.), tensor(6.))
    """

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        call = _Call("grad", func, argnums, has_aux)
        with enable_grad():
            result = call.run(args, kwargs)
            if not isinstance(result, Tensor) or result.numel() != 1:
                shown = {"result": result} if isinstance(result, Tensor) else {}
                fail(
                    "GradientError",
                    "implicit_gradient_not_scalar",
                    "grad: the function must give a tensor of a single real number",
                    "jacrev or jacfwd for several; has_aux=True to return more than the value",
                    **shown,
                )
            outputs = call.outputs(result)
            gradient = call.shaped(call.gradients(outputs, [None]))
        value = call.leave((result, call.aux) if has_aux else result)
        return value, call.leave(gradient)

    return differentiated


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func`; with `has_aux`, `(gradient, aux)`. See `value_and_grad`.

    >>> px.func.grad(px.func.grad(lambda x: x ** 3))(px.tensor(2.0))
    tensor(12.)
    """
    both = value_and_grad(func, argnums, has_aux)

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return differentiated


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As `value_and_grad`, the gradient first."""
    both = value_and_grad(func, argnums, has_aux)

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return gradient, value

    return differentiated


def _pull(call: _Call, result: Any) -> Callable[..., Any]:
    """The function from weights like the result to the gradients of the inputs."""
    parts: list[Tensor] = []
    flatten(result, parts)

    def pullback(*cotangents: Any) -> Any:
        weights: list[Tensor] = []
        flatten(cotangents[0] if len(cotangents) == 1 else cotangents, weights)
        if [w.shape for w in weights] != [p.shape for p in parts]:
            fail(
                "ShapeError",
                "gradient_shape",
                "vjp: cotangents must have the structure and the shapes of the result",
                result=", ".join(f"[{','.join(map(str, p.shape))}]" for p in parts),
                cotangents=", ".join(f"[{','.join(map(str, w.shape))}]" for w in weights),
            )
        gradients = tuple(unflatten(call.structure, call.gradients(parts, weights, retain=True)))
        return gradients[0] if len(gradients) == 1 else gradients

    return pullback


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The result of `func` and the function that multiplies vectors with its Jacobian from the left: `(result, vjp_fn)`.

    `vjp_fn` takes cotangents of the structure of the result and gives gradients of the structure of `primals`, a single
    one for one primal. It may be called several times. With `has_aux`, `(result, vjp_fn, aux)`.

        >>> y, pull = px.func.vjp(px.sin, px.zeros(2))
        >>> pull(px.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    call = _Call("vjp", func, tuple(range(len(primals))), has_aux)
    with enable_grad():
        result = call.run(primals, {})
        call.outputs(result)
    pull = _pull(call, result)
    return (call.leave(result), pull, call.leave(call.aux)) if has_aux else (call.leave(result), pull)


def _pushed(call: _Call, result: Any, tangents: list[Tensor]) -> Any:
    """The Jacobian times the tangents: the gradient, by weights of the result, of the gradient weighted with them."""
    outputs: list[Tensor] = []
    structure = flatten(result, outputs)
    weights = [_phlox.zeros_like(o).requires_grad_() if o.requires_grad else None for o in outputs]
    used = [(o, w) for o, w in zip(outputs, weights) if w is not None]
    if not used:
        return unflatten(structure, [_phlox.zeros_like(o) for o in outputs])
    first = _phlox._grad([o for o, _ in used], call.inputs, [w for _, w in used], True, True, True)
    linear = [(g, t) for g, t in zip(first, tangents) if g is not None and g.requires_grad]
    found: list[Tensor | None] = [None] * len(used)
    if linear:
        found = list(
            _phlox._grad(
                [g for g, _ in linear], [w for _, w in used], [t for _, t in linear], True, call.open, True
            )
        )
    rest = iter(found)
    pushed = [None if w is None else next(rest) for w in weights]
    return unflatten(structure, [_phlox.zeros_like(o) if p is None else p for o, p in zip(outputs, pushed)])


def jvp(
    func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...], *, has_aux: bool = False
) -> Any:
    """The result of `func` and its Jacobian times the tangents: `(result, product)`.

    `tangents` has the structure and the shapes of `primals`; with `has_aux`, `(result, product, aux)`. It is computed as
    the gradient of a gradient, about twice the work of forward mode, and the function must be twice differentiable
    by Phlox.

        >>> px.func.jvp(px.sin, (px.zeros(2),), (px.tensor([1.0, 2.0]),))[1]
        tensor([1., 2.])
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple) or len(primals) != len(tangents):
        fail("TypeError", "wrong_argument_type", "jvp: primals and tangents are tuples of equal length")
    call = _Call("jvp", func, tuple(range(len(primals))), has_aux)
    directions: list[Tensor] = []
    flatten(tangents, directions)
    with enable_grad():
        result = call.run(primals, {})
        if [d.shape for d in directions] != [i.shape for i in call.inputs]:
            fail(
                "ShapeError",
                "gradient_shape",
                "jvp: tangents must have the structure and the shapes of primals",
            )
        call.outputs(result)
        call.open = call.open or (call.recorded and any(d.requires_grad for d in directions))
        product = _pushed(call, result, directions)
    given = call.leave(result), call.leave(product)
    return (*given, call.leave(call.aux)) if has_aux else given


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The result of `func` and the function that multiplies its Jacobian there with tangents: `(result, jvp_fn)`.

    `func` runs once; `jvp_fn` takes a tangent of the structure and the shapes of each primal, as often as one likes.

        >>> y, push = px.func.linearize(px.sin, px.zeros(2))
        >>> push(px.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    call = _Call("linearize", func, tuple(range(len(primals))), False)
    with enable_grad():
        result = call.run(primals, {})
        call.outputs(result)

    def push(*tangents: Any) -> Any:
        directions: list[Tensor] = []
        flatten(tangents, directions)
        if [d.shape for d in directions] != [i.shape for i in call.inputs]:
            fail(
                "ShapeError",
                "gradient_shape",
                "linearize: tangents must have the structure and the shapes of primals",
            )
        with enable_grad():
            return call.leave(_pushed(call, result, directions))

    return call.leave(result), push


def _basis(like: Tensor) -> Tensor:
    """One tensor of the shape for each element, with a 1 there."""
    count = like.numel()
    return _phlox.eye(count, dtype=like.dtype).reshape((count, *like.shape))


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func`, row by row: for few outputs and many inputs.

    An output of shape [m...] and an input of shape [n...] give a tensor [m..., n...]; structures of outputs and inputs
    give structures of these, outputs outside. `argnums` and `has_aux` are as for `grad`; `chunk_size` is how many rows are
    computed at a time.

        >>> px.func.jacrev(lambda x: x * x)(px.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacrev", func, argnums, has_aux)
        with enable_grad():
            result = call.run(args, kwargs)
            outputs: list[Tensor] = call.outputs(result)
            rows = []
            for output in outputs:
                one = vmap(lambda w, o=output: call.gradients([o], [w], retain=True), chunk_size=chunk_size)
                with _maybe_recorded(call.open):
                    stacked = one(_basis(output.detach()))
                rows.append(call.shaped([g.reshape((*output.shape, *g.shape[1:])) for g in stacked]))
        given = call.leave(_as_result(result, rows))
        return (given, call.leave(call.aux)) if has_aux else given

    return jacobian


def _maybe_recorded(recorded: bool) -> Any:
    return enable_grad() if recorded else no_grad()


def _as_result(result: Any, parts: list[Any]) -> Any:
    """The parts in the places of the tensors of a result."""
    structure = flatten(result, [])
    return unflatten(structure, parts)


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func`, column by column: for many outputs and few inputs.

    Results are those of `jacrev`; columns are Jacobian-vector products, computed as `jvp` does.

        >>> px.func.jacfwd(px.sin)(px.zeros(2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacfwd", func, argnums, has_aux)
        with enable_grad():
            result = call.run(args, kwargs)
            outputs = call.outputs(result)
            columns: list[list[Tensor]] = []
            for number, tensor in enumerate(call.inputs):
                rest = [_phlox.zeros_like(i) for i in call.inputs]

                def push(direction, number=number, rest=rest):
                    tangents = [direction if i == number else r for i, r in enumerate(rest)]
                    pushed: list[Tensor] = []
                    flatten(_pushed(call, result, tangents), pushed)
                    return pushed

                stacked = vmap(push, randomness=randomness, chunk_size=chunk_size)(_basis(tensor.detach()))
                columns.append(
                    [
                        c.movedim(0, -1).reshape((*output.shape, *tensor.shape))
                        for c, output in zip(stacked, outputs)
                    ]
                )
        rows = [call.shaped([column[k] for column in columns]) for k in range(len(outputs))]
        given = call.leave(_as_result(result, rows))
        return (given, call.leave(call.aux)) if has_aux else given

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that gives the second derivatives of `func`: `jacfwd(jacrev(func, argnums), argnums)`.

    >>> px.func.hessian(lambda x: (x ** 3).sum())(px.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with other tensors in the places of its parameters and buffers, which it has back afterwards.

    Names are those of `named_parameters()` and `named_buffers()`; several dictionaries count as one. `args` is a tuple of
    arguments, or the only one. With `tie_weights` a tensor that the module has under several names is replaced under all of
    them. With `strict` all names must be there. Raises StateError (E0701) for a name that the module does not have.

        >>> model = px.nn.Linear(2, 1)
        >>> weights = {name: px.ones(p.shape) for name, p in model.named_parameters()}
        >>> px.func.functional_call(model, weights, px.ones(2))
        tensor([3.])
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        tensors = dict(parameter_and_buffer_dicts)
    else:
        tensors = {name: t for part in parameter_and_buffer_dicts for name, t in part.items()}
    places = {}
    for name, tensor in (
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ):
        prefix, _, own_name = name.rpartition(".")
        places[name] = (module.get_submodule(prefix) if prefix else module, own_name, tensor)
    unknown = [name for name in tensors if name not in places]
    missing = [name for name in places if name not in tensors] if strict else []
    if unknown or missing:
        fail(
            "StateError",
            "state_keys_differ",
            "functional_call: names differ from those of the module",
            "the names of module.named_parameters() and module.named_buffers()",
            **({"unknown": ", ".join(unknown)} if unknown else {}),
            **({"missing": ", ".join(missing)} if missing else {}),
        )
    if tie_weights:
        given = {places[name][2]: tensor for name, tensor in tensors.items()}
        tied = {name: given[place[2]] for name, place in places.items() if place[2] in given}
        tensors = {**tied, **tensors}
    owners = list({id(places[name][0]): places[name][0] for name in tensors}.values())
    before = [part._configuration() for part in owners]
    within: list[int] = []
    try:
        for name, tensor in tensors.items():
            part, own_name, _ = places[name]
            _phlox._exchange_tensor(part, own_name, tensor)
            expect(part, own_name)
        within = [part._configuration() for part in owners]
        arguments = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*arguments, **(kwargs or {}))
    finally:
        changed = [part._configuration() for part in owners] != within
        for name in tensors:
            _phlox._exchange_tensor(*places[name])
        if not changed:  # captured functions find everything as it was
            for part, state in zip(owners, before):
                part._restore_configuration(state)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one class, each stacked along a new first dimension.

    With `functional_call` and `vmap` they run as one: an ensemble. The stacked parameters are leaves of their own.

        >>> models = [px.nn.Linear(2, 1) for _ in range(3)]
        >>> weights, buffers = px.func.stack_module_state(models)
        >>> run = lambda w, b, x: px.func.functional_call(models[0], (w, b), x)
        >>> px.vmap(run, (0, 0, None))(weights, buffers, px.ones(5, 2)).shape
        (3, 5, 1)
    """
    if not models:
        fail("ValueError", "invalid_value", "stack_module_state: there is no module")
    if any(type(model) is not type(models[0]) for model in models):
        fail("ValueError", "invalid_value", "stack_module_state: the modules are of different classes")
    if any(model.training != models[0].training for model in models):
        fail(
            "ValueError", "invalid_value", "stack_module_state: some modules are in training, others are not"
        )
    parameters = {}
    for name, first in models[0].named_parameters():
        stacked = _phlox.stack([dict(model.named_parameters())[name].detach() for model in models])
        parameters[name] = stacked.requires_grad_(first.requires_grad)
    buffers = {
        name: _phlox.stack([dict(model.named_buffers())[name] for model in models])
        for name, _ in models[0].named_buffers()
    }
    return parameters, buffers
