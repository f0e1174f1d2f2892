"""The methods of Module that read best in Python."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections import namedtuple

from .. import _phlox
from .._failure import fail
from .._phlox import Module, Tensor, dtypes
from .._tensor import RemovableHandle
from ..autograd.function import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from typing_extensions import Self

    from .parameter import Parameter

IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])

_hook_numbers = itertools.count()
_hook_kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")  # in the __dict__ of a module


def _bound_class(cls):
    """The class written in C++ from which a class of modules comes."""
    return next(c for c in cls.__mro__ if c.__module__ == "phlox.nn")


# --- copies


def _new_module(cls, arguments):
    """The C++ side of a copied or pickled module; its members follow in __setstate__()."""
    module = cls.__new__(cls)
    _bound_class(cls).__init__(module, **arguments)
    return module


# --- hooks


def _add_hook(module, kind, hook, option, prepend=False):
    """Keeps a hook in the module's __dict__, where the C++ side finds it. `option` is whether it takes keyword
    arguments or, among the backward hooks, whether it comes before the others."""
    key = next(_hook_numbers)
    hooks = module.__dict__.get(kind, {})
    module.__dict__[kind] = {key: (hook, option), **hooks} if prepend else {**hooks, key: (hook, option)}
    module._change_configuration()
    number = None
    if kind != "_backward_hooks" and type(module) is _bound_class(type(module)):
        number = module._register_hook(key, kind == "_forward_pre_hooks", prepend)  # C++ code may call it

    def remove():
        module.__dict__.get(kind, {}).pop(key, None)
        module._change_configuration()
        if number is not None:
            module._remove_hook(number)

    return RemovableHandle(remove)


class _Passage(Function):
    """Gives its tensors unchanged, and lets `watch` see and replace their gradients on the way back."""

    @staticmethod
    def forward(ctx, watch, *tensors):
        ctx.watch = watch
        return tuple(tensor.view(tensor.shape) for tensor in tensors)

    @staticmethod
    def backward(ctx, *gradients):
        return ctx.watch(gradients)


def _through(watch, values):
    """The values with their tensors that need gradients led through a passage; None when there are none."""
    if isinstance(values, dict):
        items = list(values.values())
    else:
        items = list(values) if isinstance(values, (tuple, list)) else [values]
    places = [i for i, item in enumerate(items) if isinstance(item, Tensor) and item.requires_grad]
    if not places:
        return None
    count = len(items)

    def spread(gradients):  # refers to no tensor: those that come out lead back here
        full = [None] * count
        for place, gradient in zip(places, gradients):
            full[place] = gradient
        changed = watch(tuple(full))
        return tuple(changed[place] for place in places)

    for place, passed in zip(places, _Passage.apply(spread, *(items[place] for place in places))):
        items[place] = passed
    if isinstance(values, Tensor):
        return items[0]
    if isinstance(values, dict):
        result = copy.copy(values)
        result.update(zip(values, items))
        return result
    return type(values)(*items) if hasattr(values, "_fields") else type(values)(items)


class _BackwardWatch:
    """One call of a module with backward hooks: puts passages around it, where they meet the gradients."""

    def __init__(self, module):
        hooks = list(module.__dict__["_backward_hooks"].values())
        self._module = module
        self._first = [hook for hook, before in hooks if before]
        self._hooks = [hook for hook, before in hooks if not before]
        self._inputs = 0
        self._ends_here = False  # no input needs a gradient
        self._outputs = None  # their gradients, on the way back

    def enter(self, inputs):
        self._inputs = len(inputs)
        passed = _through(self._arrived, inputs) if self._hooks else None
        self._ends_here = passed is None
        return inputs if passed is None else passed

    def leave(self, outputs):
        if not isinstance(outputs, (Tensor, tuple, list, dict)):
            warnings.warn(
                f"{type(self._module).__name__}: backward hooks are not called, forward gives a "
                f"{type(outputs).__name__} and no tensor, tuple, list or dict",
                stacklevel=2,
            )
        passed = _through(self._left, outputs)
        return outputs if passed is None else passed

    def _left(self, gradients):
        gradients = self._run(self._first, gradients)
        if self._ends_here:
            self._run(self._hooks, (None,) * self._inputs, gradients)
        else:
            self._outputs = gradients
        return gradients

    def _arrived(self, gradients):
        outputs, self._outputs = self._outputs, None
        return self._run(self._hooks, gradients, outputs)

    def _run(self, hooks, gradients, *rest):
        for hook in hooks:
            changed = hook(self._module, gradients, *rest)
            if changed is not None:
                gradients = changed if isinstance(changed, tuple) else (changed,)
        return gradients


_phlox._set_backward_watch(_BackwardWatch)


class _Methods(Module):
    # Its methods become those of Module, below.

    def children(self) -> Iterator[Module]:
        """The direct parts, each once."""
        return (module for _, module in self.named_children())

    def modules(self) -> Iterator[Module]:
        """The module itself and all below it, each once."""
        return (module for _, module in self.named_modules())

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as add_module()."""
        self.add_module(name, module)

    def get_submodule(self, target: str) -> Module:
        """The part under a name with dots; the module itself under "". Raises AttributeError when there is none.

        Example:
            model.get_submodule("encoder.layers.0")
        """
        module: Module = self
        for name in target.split(".") if target else []:
            part = dict(module._parts()).get(name)
            if part is None:
                raise AttributeError(f"{type(self).__name__} has no part {target!r}")
            module = part
        return module

    def _get_tensor(self, kind, target):
        owner, _, name = target.rpartition(".")
        tensors = getattr(self.get_submodule(owner), f"named_{kind}s")(recurse=False)
        found = dict(tensors).get(name)
        if found is None:
            raise AttributeError(f"{type(self).__name__} has no {kind} {target!r}")
        return found

    def get_parameter(self, target: str) -> Parameter:
        """The parameter under a name with dots. Raises AttributeError when there is none."""
        return self._get_tensor("parameter", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer under a name with dots. Raises AttributeError when there is none."""
        return self._get_tensor("buffer", target)

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> IncompatibleKeys:
        """Copies the tensors of a dict into those of the module; nothing changes unless everything fits.

        Gives the names that are missing and those that are unexpected. Raises StateError for keys that differ, when
        `strict`, and for shapes that differ.

        Example:
            model.load_state_dict(px.load("model.safetensors"))
        """
        return IncompatibleKeys(*self._load_state_dict(state_dict, strict))

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Calls `fn(module)` for each part, then for the module itself.

        Example:
            model.apply(lambda m: nn.init.zeros_(m.bias) if isinstance(m, nn.Linear) else None)
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(
        self,
        *args: Any,
        device: Any = None,
        dtype: _phlox.dtype | None = None,
        non_blocking: bool = False,
        memory_format: Any = None,
    ) -> Self:
        """Converts floating parameters and buffers in place: `to(px.float64)`, `to("cpu")`, `to(tensor)`.

        Integer buffers keep their dtype. `non_blocking` and `memory_format` change nothing: copies wait for nobody on
        the CPU, and layouts are chosen by the operations.
        """
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, _phlox.dtype):
                dtype = argument
            elif argument is not None and not isinstance(argument, bool):
                device = argument
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                fail(
                    "TypeError",
                    "wrong_argument_type",
                    f"Module.to: parameters need a floating dtype, not {dtype.name}",
                    "model.to(px.float32)",
                )
            self._to_dtype(dtype)
        if device is not None:
            self._to_device(device if isinstance(device, _phlox.device) else _phlox.device(device))
        return self

    def type(self, dst_type: _phlox.dtype) -> Self:
        """Floating parameters and buffers in this dtype."""
        return self.to(dst_type)

    def float(self) -> Self:
        """Floating parameters and buffers in float32."""
        return self.to(dtypes["float32"])

    def double(self) -> Self:
        """Floating parameters and buffers in float64."""
        return self.to(dtypes["float64"])

    def half(self) -> Self:
        """Floating parameters and buffers in float16."""
        return self.to(dtypes["float16"])

    def bfloat16(self) -> Self:
        """Floating parameters and buffers in bfloat16."""
        return self.to(dtypes["bfloat16"])

    def cpu(self) -> Self:
        """Parameters and buffers in main memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Parameters and buffers on a GPU. Raises DeviceError where there is none."""
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, arguments, output)` after forward(); what it returns replaces the output.

        `with_kwargs` calls `hook(module, arguments, keywords, output)`; `prepend` puts it before all other hooks.

        Example:
            handle = model.head.register_forward_hook(lambda module, arguments, output: print(output.shape))
            handle.remove()
        """
        return _add_hook(self, "_forward_hooks", hook, with_kwargs, prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, arguments)` before forward(); what it returns replaces the arguments.

        `with_kwargs` calls `hook(module, arguments, keywords)`, which may return both in a tuple.
        """
        return _add_hook(self, "_forward_pre_hooks", hook, with_kwargs, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        Both are tuples with None for what has no gradient; what the hook returns replaces `grad_input`. Outputs are
        tensors, or tuples, lists or dicts of tensors. `prepend` puts the hook before all others.
        """
        return _add_hook(self, "_backward_hooks", hook, False, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before gradients go through the module; what it returns replaces them."""
        return _add_hook(self, "_backward_hooks", hook, True, prepend)

    def __reduce_ex__(self, protocol):
        parameters, buffers, parts = (
            self._parameter_names(),
            self._buffer_names(),
            dict(self._parts()),
        )
        saved = self.state_dict()
        tensors: list[tuple] = [(name, self.__dict__[name], None) for name in parameters]
        tensors += [
            (name, self.__dict__[name], self.__dict__[name] is None or name in saved) for name in buffers
        ]
        known = {*parameters, *buffers, *parts, "_arguments", *_hook_kinds}
        attributes = {name: value for name, value in self.__dict__.items() if name not in known}
        hooks = {kind: list(self.__dict__.get(kind, {}).values()) for kind in _hook_kinds}
        state = {
            "tensors": tensors,
            "parts": parts,
            "attributes": attributes,
            "hooks": hooks,
            "training": self.training,
        }
        return _new_module, (type(self), self.__dict__.get("_arguments", {})), state

    def __setstate__(self, state):
        for name in {*self._parameter_names(), *self._buffer_names()} - {
            name for name, *_ in state["tensors"]
        }:
            delattr(self, name)  # made by the constructor and taken away since
        for name, value, persistent in state["tensors"]:
            if name in self.__dict__:
                setattr(self, name, value)
            elif persistent is None:
                self.register_parameter(name, value)
            else:
                self.register_buffer(name, value, persistent)
        for name, part in state["parts"].items():
            if name in self.__dict__:
                delattr(self, name)
            self.add_module(name, part)
        self.__dict__.update(state["attributes"])
        for kind, hooks in state["hooks"].items():
            for hook, option in hooks:
                _add_hook(self, kind, hook, option)
        self.training = state["training"]

    def __repr__(self):
        lines = [f"({name}): " + repr(part).replace("\n", "\n  ") for name, part in self._parts()]
        settings = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({settings})"
        lines = [*settings.split("\n"), *lines] if settings else lines
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def __dir__(self):
        return sorted({*dir(type(self)), *self.__dict__})


for _name, _method in vars(_Methods).items():
    if callable(_method):
        _method.__qualname__ = f"Module.{_name}"
        setattr(Module, _name, _method)
