"""Signatures of operations for `inspect.signature`, from the registry."""

import inspect
import keyword

from . import _phlox

# What a kind of parameter or result is in Python.
KINDS = {
    "tensor": "Tensor",
    "optional_tensor": "Tensor | None",
    "operand": "Tensor | Number",
    "optional_operand": "Tensor | Number | None",
    "scalar": "Number",
    "optional_scalar": "Number | None",
    "boolean": "bool",
    "optional_boolean": "bool | None",
    "integer": "int",
    "optional_integer": "int | None",
    "floating": "float",
    "optional_floating": "float | None",
    "integers": "int | Sequence[int]",
    "optional_integers": "int | Sequence[int] | None",
    "tensors": "Sequence[Tensor]",
    "text": "str",
    "optional_text": "str | None",
    "dtype": "dtype",
    "optional_dtype": "dtype | None",
    "optional_device": "device | str | None",
    "generator": "Generator | None",
    "optional_floats": "Sequence[float] | None",
}
RESULTS = {
    "tensor": "Tensor",
    "tensors": "tuple[Tensor, ...]",
    "tuple": "tuple[Tensor, ...]",
    "boolean": "bool",
    "integer": "int",
    "floating": "float",
    "integers": "Size",
    "dtype": "dtype",
    "text": "str",
    "nothing": "None",
}


def default_value(text):
    """A default value, from how Python would write it."""
    if text in _phlox.dtypes:
        return _phlox.dtypes[text]
    return eval(text, {"__builtins__": {"float": float}})  # texts of the registry only


def make_signature(operation, is_method):
    """The inspect.Signature of an operation or of a method."""
    parameters = []
    for position, (name, kind, required, default) in enumerate(operation.parameters):
        if is_method and position == 0:
            parameters.append(inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY))
            continue
        parameters.append(
            inspect.Parameter(
                name + "_" if keyword.iskeyword(name) else name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if required else default_value(default),
                annotation=KINDS[kind],
            )
        )
    extra = ["out"] if operation.takes_out else []
    extra += ["requires_grad"] if operation.takes_requires_grad else []
    for name in extra:
        default = None if name == "out" else False
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    seen_default = False
    for parameter in parameters:  # C++ allows what Python's signature does not: nothing to show then
        has_default = parameter.default is not inspect.Parameter.empty
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and seen_default and not has_default:
            return None
        seen_default |= has_default
    return inspect.Signature(parameters, return_annotation=RESULTS[operation.result])
