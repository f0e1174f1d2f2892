"""The methods of Module that read best in Python."""

import copy as _copy
import itertools
from collections import namedtuple

from .. import _phlox
from .._phlox import Module, Tensor, dtypes
from .._tensor import RemovableHandle

IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])

_hook_numbers = itertools.count()
_cpp_attributes = ("_arguments", "_forward_hooks", "_forward_pre_hooks")


def _bound_class(cls):
    """The class written in C++ from which a class of modules comes."""
    return next(c for c in cls.__mro__ if c.__module__ == "phlox.nn")


def _add_hook(module, kind, hook):
    if type(module) is _bound_class(type(module)):  # C++ code may call it, past its Python object
        number = module._register_hook(hook, kind == "_forward_pre_hooks")
        return RemovableHandle(lambda: module._remove_hook(number))
    hooks = module.__dict__.setdefault(kind, {})
    number = next(_hook_numbers)
    hooks[number] = hook
    return RemovableHandle(lambda: hooks.pop(number, None))


def _rebuild_module(cls, arguments, attributes, tensors, training):
    """Makes a copied or pickled module again."""
    module = cls.__new__(cls)
    bound = _bound_class(cls)
    bound.__init__(module, **arguments)
    registered = {name: (value, persistent) for name, value, persistent in tensors}
    for name, (value, persistent) in registered.items():
        if name in module.__dict__:
            setattr(module, name, value)
        elif persistent is None:
            module.register_parameter(name, value)
        else:
            module.register_buffer(name, value, persistent)
    for name, value in attributes.items():
        setattr(module, name, value)
    module.training = training
    return module


class _Methods(Module):
    # Its methods become those of Module, below.

    def children(self):
        """The direct parts."""
        return (module for _, module in self.named_children())

    def modules(self):
        """The module itself and all below it."""
        return (module for _, module in self.named_modules())

    def register_module(self, name, module):
        """The same as add_module()."""
        self.add_module(name, module)

    def get_submodule(self, target):
        """The part under a name with dots."""
        for name, module in self.named_modules():
            if name == target:
                return module
        raise AttributeError(f"{type(self).__name__} has no part {target!r}")

    def get_parameter(self, target):
        """The parameter under a name with dots."""
        found = dict(self.named_parameters()).get(target)
        if found is None:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")
        return found

    def load_state_dict(self, state_dict, strict=True):
        """Copies the tensors of a dict into those of the module; nothing changes unless everything fits.

        Raises StateError for keys that differ, when `strict`, and for shapes that differ.
        """
        return IncompatibleKeys(*self._load_state_dict(state_dict, strict))

    def apply(self, fn):
        """Calls `fn(module)` for each part, then for the module itself."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, *args, device=None, dtype=None):
        """Converts floating parameters and buffers, in place: `to(px.float64)`, `to("cpu")`, `to(tensor)`."""
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, _phlox.dtype):
                dtype = argument
            elif argument is not None:
                device = argument
        if dtype is not None:
            self._to_dtype(dtype)
        if device is not None:
            self._to_device(_phlox.device(device) if isinstance(device, str) else device)
        return self

    def float(self):
        """Parameters and buffers in float32."""
        return self.to(dtypes["float32"])

    def double(self):
        """Parameters and buffers in float64."""
        return self.to(dtypes["float64"])

    def half(self):
        """Parameters and buffers in float16."""
        return self.to(dtypes["float16"])

    def bfloat16(self):
        """Parameters and buffers in bfloat16."""
        return self.to(dtypes["bfloat16"])

    def cpu(self):
        """Parameters and buffers in main memory."""
        return self.to("cpu")

    def register_forward_hook(self, hook):
        """Calls `hook(module, arguments, output)` after forward(); what it returns replaces the output."""
        return _add_hook(self, "_forward_hooks", hook)

    def register_forward_pre_hook(self, hook):
        """Calls `hook(module, arguments)` before forward(); what it returns replaces the arguments."""
        return _add_hook(self, "_forward_pre_hooks", hook)

    def __reduce_ex__(self, protocol):
        parts = dict(self.named_children())
        parameters = dict(self.named_parameters(recurse=False))
        buffers = dict(self.named_buffers(recurse=False))
        saved = set(self.state_dict())
        tensors: list[tuple] = [(name, value, None) for name, value in parameters.items()]
        tensors += [(name, value, name in saved) for name, value in buffers.items()]
        known = {*parameters, *buffers, *_cpp_attributes}
        attributes = {name: value for name, value in self.__dict__.items() if name not in known}
        attributes.update(parts)
        arguments = self.__dict__.get("_arguments", {})
        return _rebuild_module, (type(self), arguments, attributes, tensors, self.training)

    def __deepcopy__(self, memo):
        rebuild, arguments = self.__reduce_ex__(4)
        made = rebuild(type(self), *_copy.deepcopy(arguments[1:], memo))
        memo[id(self)] = made
        return made

    def __dir__(self):
        return sorted({*dir(type(self)), *self.__dict__})


for _name, _method in vars(_Methods).items():
    if callable(_method):
        _method.__qualname__ = f"Module.{_name}"
        setattr(Module, _name, _method)
