#!/usr/bin/env python3
"""Writes the .pyi stubs of the Python package from the built library, for editors and type checkers.

    make_stubs.py FOLDER     the folder `phlox` of a build, which holds the extension module

Operations come from the registry; what is written by hand in the extension is declared in the templates below, and a
test holds the stubs complete against the library.
"""

import argparse
import inspect
import keyword
import pkgutil
import re
import sys
from pathlib import Path

from bound_stubs import class_stub, function_stub, with_body

HEADER = '''"""Made by tools/make_stubs.py. Do not edit."""

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, overload

_int = builtins.int
_float = builtins.float
_bool = builtins.bool
Number = builtins.int | builtins.float | builtins.complex | builtins.bool
_Operand = Tensor | Number | Any
_F = TypeVar("_F", bound=Callable[..., Any])
'''

CLASSES = """
class Size(tuple[_int, ...]):
    def numel(self) -> _int: ...

class dtype:
    name: str
    short_name: str
    itemsize: _int
    is_floating_point: _bool
    is_complex: _bool
    is_signed: _bool
    def to_real(self) -> dtype: ...

class device:
    type: str
    index: _int | None
    def __init__(self, device: str | _int | device, index: _int | None = None) -> None: ...
    def __enter__(self) -> device: ...
    def __exit__(self, *args: Any) -> None: ...

class Generator:
    def __init__(self, device: str = "cpu", seed: _int = 0) -> None: ...
    def manual_seed(self, seed: _int) -> Generator: ...
    def seed(self) -> _int: ...
    def initial_seed(self) -> _int: ...
    def get_state(self) -> tuple[_int, _int, _int]: ...
    def set_state(self, state: tuple[_int, _int, _int]) -> None: ...
    def fork(self) -> Generator: ...

_dtype = dtype
_device = device

class Operation:
    __name__: str
    parameters: list[tuple[str, str, _bool, str]]
    doc: str
    source: str
    family: str
    samples: str
    example: str
    reference: str
    def __getattr__(self, name: str) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class RemovableHandle:
    def remove(self) -> None: ...
    def __enter__(self) -> RemovableHandle: ...
    def __exit__(self, *args: Any) -> None: ...
"""

# Attributes and methods of Tensor that are no operations.
TENSOR = """
class Tensor:
    shape: Size
    dtype: _dtype
    device: _device
    ndim: _int
    itemsize: _int
    nbytes: _int
    T: Tensor
    mT: Tensor
    mH: Tensor
    H: Tensor
    real: Tensor
    imag: Tensor
    grad: Tensor | None
    requires_grad: _bool
    is_leaf: _bool
    retains_grad: _bool
    grad_fn: Any
    data: Tensor
    is_cpu: _bool
    is_cuda: _bool
    _version: _int
    __array_ufunc__: None
    __array_priority__: _float
    def __new__(cls, data: Any = ...) -> Any: ...
    def size(self, dim: _int | None = None) -> Any: ...
    def stride(self, dim: _int | None = None) -> Any: ...
    def dim(self) -> _int: ...
    def ndimension(self) -> _int: ...
    def numel(self) -> _int: ...
    def nelement(self) -> _int: ...
    def element_size(self) -> _int: ...
    def storage_offset(self) -> _int: ...
    def data_ptr(self) -> _int: ...
    def is_contiguous(self, memory_format: str | None = None) -> _bool: ...
    def is_floating_point(self) -> _bool: ...
    def is_complex(self) -> _bool: ...
    def is_inference(self) -> _bool: ...
    def to(
        self,
        *target: Any,
        dtype: _dtype | None = None,
        device: Any = None,
        copy: _bool = False,
        memory_format: str | None = None,
    ) -> Tensor: ...
    def float(self, memory_format: str | None = None) -> Tensor: ...
    def double(self, memory_format: str | None = None) -> Tensor: ...
    def half(self, memory_format: str | None = None) -> Tensor: ...
    def bfloat16(self, memory_format: str | None = None) -> Tensor: ...
    def int(self, memory_format: str | None = None) -> Tensor: ...
    def long(self, memory_format: str | None = None) -> Tensor: ...
    def short(self, memory_format: str | None = None) -> Tensor: ...
    def char(self, memory_format: str | None = None) -> Tensor: ...
    def byte(self, memory_format: str | None = None) -> Tensor: ...
    def bool(self, memory_format: str | None = None) -> Tensor: ...
    def cfloat(self, memory_format: str | None = None) -> Tensor: ...
    def cdouble(self, memory_format: str | None = None) -> Tensor: ...
    def cpu(self) -> Tensor: ...
    def cuda(self, device: Any = None) -> Tensor: ...
    def type(self, dtype: Any = None) -> Any: ...
    def type_as(self, other: Tensor) -> Tensor: ...
    def polygamma(self, n: _int) -> Tensor: ...
    def polygamma_(self, n: _int) -> Tensor: ...
    def requires_grad_(self, requires_grad: _bool = True) -> Tensor: ...
    def detach(self) -> Tensor: ...
    def detach_(self) -> Tensor: ...
    def retain_grad(self) -> None: ...
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle: ...
    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle: ...
    def is_nonzero(self) -> _bool: ...
    def is_signed(self) -> _bool: ...
    def is_conj(self) -> _bool: ...
    def get_device(self) -> _int: ...
    def sum_to_size(self, *size: Any) -> Tensor: ...
    def set_(self, source: Tensor | None = None) -> Tensor: ...
    def resize_(self, *size: Any) -> Tensor: ...
    def resize_as_(self, other: Tensor) -> Tensor: ...
    def as_strided_(
        self, size: Sequence[_int], stride: Sequence[_int], storage_offset: _int | None = None
    ) -> Tensor: ...
    def squeeze_(self, dim: _int | Sequence[_int] | None = None) -> Tensor: ...
    def unsqueeze_(self, dim: _int) -> Tensor: ...
    def t_(self) -> Tensor: ...
    def transpose_(self, dim0: _int, dim1: _int) -> Tensor: ...
    def swapaxes_(self, dim0: _int, dim1: _int) -> Tensor: ...
    def swapdims_(self, dim0: _int, dim1: _int) -> Tensor: ...
    def fill_diagonal_(self, fill_value: Number, wrap: _bool = False) -> Tensor: ...
    def new_empty_strided(
        self,
        size: Sequence[_int],
        stride: Sequence[_int],
        *,
        dtype: _dtype | None = None,
        device: Any = None,
        requires_grad: _bool = False,
    ) -> Tensor: ...
    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor: ...
    def is_same_size(self, other: Tensor) -> _bool: ...
    def is_set_to(self, tensor: Tensor) -> _bool: ...
    def dim_order(self) -> tuple[_int, ...]: ...
    def apply_(self, callable: Callable[[Any], Any]) -> Tensor: ...
    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor: ...
    def is_neg(self) -> _bool: ...
    def is_pinned(self) -> _bool: ...
    def is_shared(self) -> _bool: ...
    @property
    def layout(self) -> str: ...
    @property
    def is_sparse(self) -> _bool: ...
    @property
    def is_sparse_csr(self) -> _bool: ...
    def to_sparse(
        self, sparse_dim: _int | None = None, *, layout: str = "sparse_coo", blocksize: Any = None
    ) -> Any: ...
    def to_sparse_coo(self) -> Any: ...
    def to_sparse_csr(self) -> Any: ...
    def to_sparse_csc(self) -> Any: ...
    def to_sparse_bsr(self, blocksize: Any) -> Any: ...
    def to_sparse_bsc(self, blocksize: Any) -> Any: ...
    def to_dense(self) -> Tensor: ...
    def sparse_mask(self, mask: Any) -> Any: ...
    @property
    def is_quantized(self) -> _bool: ...
    @property
    def is_meta(self) -> _bool: ...
    def backward(
        self, gradient: Tensor | None = None, retain_graph: _bool | None = None, create_graph: _bool = False
    ) -> None: ...
    def item(self) -> Any: ...
    def tolist(self) -> Any: ...
    def numpy(self, *, force: _bool = False) -> Any: ...
    def new_tensor(
        self, data: Any, *, dtype: _dtype | None = None, device: Any = None, requires_grad: _bool = False
    ) -> Tensor: ...
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any: ...
    def __dlpack__(self, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[_int, _int]: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...
    def __len__(self) -> _int: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __contains__(self, value: Any) -> _bool: ...
    def __bool__(self) -> _bool: ...
    def __int__(self) -> _int: ...
    def __float__(self) -> _float: ...
    def __complex__(self) -> builtins.complex: ...
    def __index__(self) -> _int: ...
    def __neg__(self) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __hash__(self) -> _int: ...
"""
BINARY = [
    "add",
    "sub",
    "mul",
    "matmul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]
COMPARISONS = ["lt", "le", "gt", "ge"]

FUNCTIONS = """
def tensor(
    data: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: _bool = False
) -> Tensor: ...
def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor: ...
def asarray(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor: ...
def from_numpy(array: Any) -> Tensor: ...
def from_dlpack(ext_tensor: Any) -> Tensor: ...
def manual_seed(seed: _int) -> Generator: ...
def seed() -> _int: ...
def initial_seed() -> _int: ...
def get_rng_state() -> tuple[_int, _int, _int]: ...
def set_rng_state(new_state: tuple[_int, _int, _int]) -> None: ...
def get_num_threads() -> _int: ...
def set_num_threads(count: _int) -> None: ...
def get_default_dtype() -> dtype: ...
def set_default_dtype(dtype: dtype) -> None: ...
def promote_types(type1: dtype, type2: dtype) -> dtype: ...
def is_available(device: Any) -> _bool: ...
"""


def python_type(text: str) -> str:
    """A type of `phlox._signature`, where `int` and others are names of dtypes."""
    for name in ("int", "float", "bool", "dtype", "device"):
        words = text.replace("[", " [ ").replace("]", " ] ").split(" ")
        text = " ".join(f"_{w}" if w == name else w for w in words).replace(" [ ", "[").replace(" ] ", "]")
    return text.replace(" ]", "]").replace("Number", "_Operand" if "Tensor" in text else "Number").strip()


def operation_stub(name: str, operation, signature, is_method: bool) -> str:
    """def name(...) -> ...: for a function or a method of an operation."""
    from phlox._signature import KINDS, RESULTS

    result = python_type(RESULTS[operation.result])
    if operation.overloads:  # several operations behind one name
        from phlox import _phlox

        first = "self, " if is_method else ""
        results = {operation.result, *(vars(_phlox)[overload].result for overload in operation.overloads)}
        return f"def {name}({first}*args: Any, **kwargs: Any) -> {result if len(results) == 1 else 'Any'}"
    parts = []
    parameters = operation.parameters[1:] if is_method else operation.parameters
    if is_method:
        parts.append("self")
    defaults_seen = False
    for position, (parameter, kind, required, _) in enumerate(
        parameters, start=len(operation.parameters) - len(parameters)
    ):
        if keyword.iskeyword(parameter):
            parameter += "_"
        if position == operation.variadic:
            parts.append(f"*{parameter}: Any")
            continue
        defaults_seen |= not required
        parts.append(f"{parameter}: {python_type(KINDS[kind])}" + (" = ..." if defaults_seen else ""))
    if operation.takes_out or operation.takes_requires_grad:
        parts += [] if operation.variadic >= 0 else ["*"]
    if operation.takes_out:
        parts.append(f"out: {'Tensor' if operation.result == 'tensor' else 'Sequence[Tensor]'} | None = None")
    if operation.is_pointwise and not operation.__name__.endswith("_"):
        parts.append("inplace: _bool = False")
    if operation.takes_requires_grad:
        parts.append("requires_grad: _bool = False")
    # NumPy's names for dimensions are taken as well.
    names = {p[0] for p in parameters}
    if names & {"dim", "dims", "keepdim", "input", "other", "dim0", "shape", "size"}:
        parts.append("**synonyms: Any")
    return f"def {name}({', '.join(parts)}) -> {result}"


def tensor_class(phlox) -> list[str]:
    lines = TENSOR.rstrip().split("\n")
    for name in BINARY:
        lines.append(f"    def __{name}__(self, other: _Operand) -> Tensor: ...")
        lines.append(f"    def __r{name}__(self, other: _Operand) -> Tensor: ...")
        if name != "matmul":
            lines.append(f"    def __i{name}__(self, other: _Operand) -> Tensor: ...")
    lines += [f"    def __{name}__(self, other: _Operand) -> Tensor: ..." for name in COMPARISONS]
    for name, method in sorted(vars(phlox.Tensor).items()):
        if isinstance(method, phlox._phlox.OperationMethod):
            lines += with_body(operation_stub(name, method, None, True), method.__doc__, "    ")
    return lines


def python_names(phlox) -> list[str]:
    """What is written in Python: functions of the package itself, and what it takes from its modules."""
    lines = []
    for name, value in sorted(vars(phlox).items()):
        if name.startswith("_"):
            continue
        home = getattr(value, "__module__", "") if inspect.isclass(value) or inspect.isfunction(value) else ""
        if inspect.isfunction(value) and home == "phlox":
            lines += function_stub(name, value)
        elif (
            home.startswith("phlox.") and home != "phlox.errors" and vars(phlox._phlox).get(name) is not value
        ):
            lines.append(f"from {home.removeprefix('phlox')} import {name} as {name}")
    return lines


def error_classes(phlox) -> list[str]:
    lines = [
        "class PhloxError(builtins.Exception):",
        '    """The base of all errors."""',
        "    code: str",
        "",
    ]
    for name, value in sorted(vars(phlox._phlox).items()):
        if inspect.isclass(value) and issubclass(value, phlox.PhloxError) and value is not phlox.PhloxError:
            lines += with_body(
                f"class {name}(PhloxError, builtins.{value.__bases__[1].__name__})", value.__doc__, ""
            )
    return lines


def submodules(phlox) -> list[str]:
    """The modules and packages that come with Phlox and are loaded when they are first used."""
    found = pkgutil.iter_modules(phlox.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


def write_package(phlox) -> str:
    lines = [HEADER, CLASSES, *tensor_class(phlox), FUNCTIONS, *python_names(phlox), ""]
    lines += [f"from . import {name} as {name}" for name in submodules(phlox)]
    errors = [name for name in sorted(vars(phlox.errors)) if name.endswith("Error") and hasattr(phlox, name)]
    lines += ["from ._phlox import (", *[f"    {name} as {name}," for name in errors], ")"]
    by_hand = set(re.findall(r"^class (\w+)", CLASSES, re.MULTILINE)) | {"Tensor"}
    lines += [
        f"from ._phlox import {name} as {name}"
        for name, value in sorted(vars(phlox).items())
        if is_bound_class(value) and name not in by_hand and not name.startswith("_")
    ]
    for name, value in sorted(vars(phlox).items()):
        if isinstance(value, phlox.dtype):
            lines.append(f"{name}: dtype")
        elif isinstance(value, float) and not name.startswith("_"):
            lines.append(f"{name}: _float")
        elif isinstance(value, str) and not name.startswith("__"):
            lines.append(f"{name}: str")
    lines += ["newaxis: None", "FloatTensor = Tensor", "default_generator: Generator", "__version__: str", ""]
    declared = {line.split("(")[0].removeprefix("def ") for line in lines if line.startswith("def ")}
    declared |= {line.strip().split("(")[0].removeprefix("def ") for line in FUNCTIONS.split("\n")}
    for name, value in sorted(vars(phlox).items()):
        if isinstance(value, phlox._phlox.Operation) and name not in declared:
            lines += with_body(operation_stub(name, value, None, False), value.__doc__, "")
    return "\n".join(lines) + "\n"


def written_in(name, value) -> str | None:
    """The private module of the package, written in Python, that a home of operations takes this from."""
    for module_name, module in sorted(sys.modules.items()):
        private = module_name.startswith("phlox.") and module_name.rpartition(".")[2].startswith("_")
        if private and not module_name.startswith("phlox._phlox") and vars(module).get(name) is value:
            return module_name if getattr(value, "__module__", "phlox").startswith("phlox") else None
    return None


def write_home(phlox, module) -> str:
    lines = [MADE, "", "from typing import Any", ""]
    lines += [
        "from phlox import Generator, Number, Size, Tensor, _bool, _device, _dtype, _float, _int, _Operand"
    ]
    lines += ["from collections.abc import Sequence", ""]
    for name, value in sorted(vars(module).items()):
        if isinstance(value, phlox._phlox.Operation):
            lines += with_body(operation_stub(name, value, None, False), value.__doc__, "")
        elif inspect.ismodule(value) and value.__name__ == f"{module.__name__}.{name}":
            lines.append(f"from . import {name} as {name}")
        elif inspect.isclass(value) and issubclass(value, phlox.PhloxError):
            lines.append(f"from phlox.errors import {name} as {name}")
        elif not name.startswith("_") and (source := written_in(name, value)):
            lines.append(f"from {source} import {name} as {name}")
    return "\n".join(lines) + "\n"


def is_bound_class(value) -> bool:
    return isinstance(value, type) and type(value).__module__ == "nanobind"


def write_extension(phlox) -> str:
    """Classes and functions of the extension module that are neither tensors nor operations."""
    extension = phlox._phlox
    lines = [MADE, "", EXTENSION]
    lines += [*error_classes(phlox), ""]
    by_hand = set(re.findall(r"^class (\w+)", CLASSES, re.MULTILINE)) | {"Tensor"}
    for name, value in vars(extension).items():
        if name in by_hand or (inspect.isclass(value) and issubclass(value, BaseException)):
            continue
        if isinstance(value, extension.Operation):
            known = getattr(phlox, name, None) is value
            lines.append(f"from phlox import {name} as {name}" if known else f"{name}: Operation")
        elif is_bound_class(value):
            lines += (
                class_stub(value, issubclass(value, extension.Module))
                if name != "Module"
                else module_stub(value)
            )
        elif name.startswith("_") and not name.startswith("__") and hasattr(value, "__nb_signature__"):
            lines += function_stub(name, value)
        elif name.startswith("_") and inspect.ismodule(value):
            lines += namespace_stub(name, value)
        elif not name.startswith("_") and getattr(phlox, name, None) is value:
            lines.append(f"from phlox import {name} as {name}")
    lines += ["dtypes: dict[str, dtype]", "OperationMethod: type"]
    return "\n".join(lines) + "\n"


def module_stub(cls) -> list[str]:
    """Module: subclasses give forward() any parameters, and members any names."""
    lines = class_stub(cls, False)
    start = next(i for i, line in enumerate(lines) if line.startswith("    def forward("))
    end = next(i for i, line in enumerate(lines[start + 1 :], start + 1) if line.startswith("    def "))
    kept = lines[:start] + ["    forward: Callable[..., Any]"] + lines[end:]
    return [
        *kept,
        "    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...",
        "    def __getattr__(self, name: str) -> Any: ...",
    ]


def namespace_stub(name: str, module) -> list[str]:
    """A module inside of the extension, as a class: type checkers know no other nesting."""
    lines = [f"class {name}:"]
    classes = [inner for inner, value in vars(module).items() if is_bound_class(value)]
    for inner, value in vars(module).items():
        if is_bound_class(value):
            lines += ["    " + line if line else line for line in class_stub(value, False)]
        elif hasattr(value, "__nb_signature__"):
            lines += function_stub(inner, value, "    ", "@staticmethod")
    inside = re.compile(rf"(?<!class )\b({'|'.join(classes) or '(?!)'})\b")
    return [inside.sub(rf"{name}.\1", line) for line in lines]


def write_bound_module(module) -> str:
    """A module that offers bound functions beside what is written in Python."""
    lines = [MADE, "", EXTENSION]
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        if is_bound_class(value):
            lines += class_stub(value, False)
        elif inspect.isfunction(value) or hasattr(value, "__nb_signature__"):
            lines += function_stub(name, value)
    return "\n".join(lines) + "\n"


def write_networks(phlox) -> str:
    """phlox.nn: the layers are classes of the extension, the rest is written in Python."""
    lines = [MADE, ""]
    for name, value in vars(phlox.nn).items():
        if name.startswith("_"):
            continue
        if vars(phlox._phlox).get(name) is value:
            lines.append(f"from .._phlox import {name} as {name}")
        elif inspect.ismodule(value):
            lines.append(f"from . import {name} as {name}")
        else:
            lines.append(f"from {value.__module__.removeprefix('phlox.nn')} import {name} as {name}")
    return "\n".join(lines) + "\n"


MADE = '''"""Made by tools/make_stubs.py. Do not edit."""'''
EXTENSION = """
import builtins
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, overload

from typing_extensions import Self

from phlox import (
    Generator as Generator,
    Operation as Operation,
    Size as Size,
    Tensor as Tensor,
    _bool,
    _float,
    _int,
    device as device,
    dtype as dtype,
)
from phlox._tensor import RemovableHandle
from phlox.nn.module import IncompatibleKeys
from phlox.nn.parameter import Parameter
from phlox.optim import ParameterGroup
"""


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder `phlox` of a build")
    folder = parser.parse_args().folder
    sys.path.insert(0, str(folder.parent))
    sys.dont_write_bytecode = True
    import importlib

    import phlox
    import phlox.nn
    import phlox.optim

    write_if_changed(folder / "__init__.pyi", write_package(phlox))
    write_if_changed(folder / "_phlox.pyi", write_extension(phlox))
    write_if_changed(folder / "nn" / "__init__.pyi", write_networks(phlox))
    for name in ("io", "memory", "nn.init", "nn.utils", "metrics"):
        module = importlib.import_module(f"phlox.{name}")
        write_if_changed(folder / f"{name.replace('.', '/')}.pyi", write_bound_module(module))
    for home in sorted({"special", *(o.home for o in phlox.operations() if o.home)}):
        path = folder / f"{home.replace('.', '/')}.py"
        if not path.exists():
            path = path.with_suffix("") / "__init__.py"
        if path.exists():
            module = importlib.import_module(f"phlox.{home}")
            write_if_changed(path.with_suffix(".pyi"), write_home(phlox, module))


if __name__ == "__main__":
    main()
