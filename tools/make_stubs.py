#!/usr/bin/env python3
"""Writes the .pyi stubs of the Python package from the built library, for editors and type checkers.

    make_stubs.py FOLDER     the folder `phlox` of a build, which holds the extension module

Operations come from the registry; what is written by hand in the extension is declared in the templates below, and a
test holds the stubs complete against the library.
"""

import argparse
import inspect
import keyword
import sys
from pathlib import Path

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
    def is_contiguous(self) -> _bool: ...
    def is_floating_point(self) -> _bool: ...
    def is_complex(self) -> _bool: ...
    def is_inference(self) -> _bool: ...
    def to(self, *target: Any, dtype: _dtype | None = None, device: Any = None, copy: _bool = False) -> Tensor: ...
    def float(self) -> Tensor: ...
    def double(self) -> Tensor: ...
    def half(self) -> Tensor: ...
    def bfloat16(self) -> Tensor: ...
    def int(self) -> Tensor: ...
    def long(self) -> Tensor: ...
    def short(self) -> Tensor: ...
    def char(self) -> Tensor: ...
    def byte(self) -> Tensor: ...
    def bool(self) -> Tensor: ...
    def cfloat(self) -> Tensor: ...
    def cdouble(self) -> Tensor: ...
    def cpu(self) -> Tensor: ...
    def cuda(self, device: Any = None) -> Tensor: ...
    def type(self, dtype: Any = None) -> Any: ...
    def type_as(self, other: Tensor) -> Tensor: ...
    def requires_grad_(self, requires_grad: _bool = True) -> Tensor: ...
    def detach(self) -> Tensor: ...
    def detach_(self) -> Tensor: ...
    def retain_grad(self) -> None: ...
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle: ...
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
        first = "self, " if is_method else ""
        return f"def {name}({first}*args: Any, **kwargs: Any) -> Any: ..."
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
    if operation.is_pointwise and not operation.__name__.endswith("_"):
        parts += ["*", "out: Tensor | None = None"]
    elif operation.takes_requires_grad:
        parts += [] if operation.variadic >= 0 else ["*"]
        parts.append("requires_grad: _bool = False")
    # NumPy's names for dimensions are taken as well.
    names = {p[0] for p in parameters}
    if names & {"dim", "dims", "keepdim", "input", "other", "dim0", "shape", "size"}:
        parts.append("**synonyms: Any")
    return f"def {name}({', '.join(parts)}) -> {result}: ..."


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
            lines.append("    " + operation_stub(name, method, None, True))
    return lines


def python_functions(phlox) -> list[str]:
    """Functions and classes written in Python."""
    lines = []
    for name, value in sorted(vars(phlox).items()):
        if name.startswith("_"):
            continue
        if inspect.isfunction(value):
            parameters = []
            for p in inspect.signature(value).parameters.values():
                star = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
                default = "" if p.default is p.empty else " = ..."
                parameters.append(f"{star}{p.name}: Any{default}")
            lines.append(f"def {name}({', '.join(parameters)}) -> Any: ...")
        elif inspect.isclass(value) and value.__module__ == "phlox._modes":
            lines += [
                f"class {name}:",
                "    def __init__(self, mode: Any = ...) -> None: ...",
                "    def __enter__(self) -> Any: ...",
                "    def __exit__(self, *args: Any) -> None: ...",
                "    def __call__(self, function: _F) -> _F: ...",
            ]
        elif inspect.isclass(value) and value.__module__ == "phlox._numbers":
            lines += [f"class {name}:", "    def __init__(self, dtype: Any = ...) -> None: ..."]
            lines += ["    def __getattr__(self, name: str) -> Any: ..."]
        elif inspect.isclass(value) and issubclass(value, phlox.PhloxError) and value is not phlox.PhloxError:
            built_in = value.__bases__[1].__name__
            lines += [f"class {name}(PhloxError, builtins.{built_in}): ..."]
    return lines


def write_package(phlox) -> str:
    lines = [HEADER, CLASSES, *tensor_class(phlox), FUNCTIONS]
    lines += ["class PhloxError(builtins.Exception):", "    code: str", "", *python_functions(phlox), ""]
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
            lines.append(operation_stub(name, value, None, False))
    return "\n".join(lines) + "\n"


def write_home(phlox, module) -> str:
    lines = ['"""Made by tools/make_stubs.py. Do not edit."""', "", "from typing import Any", ""]
    lines += ["from . import Generator, Number, Size, Tensor, _bool, _device, _dtype, _float, _int, _Operand"]
    lines += ["from collections.abc import Sequence", ""]
    for name, value in sorted(vars(module).items()):
        if isinstance(value, phlox._phlox.Operation):
            lines.append(operation_stub(name, value, None, False))
    return "\n".join(lines) + "\n"


PRIVATE = '''"""Made by tools/make_stubs.py. Do not edit."""

from typing import Any

from . import (
    Generator as Generator,
    Operation as Operation,
    Size as Size,
    Tensor as Tensor,
    device as device,
    dtype as dtype,
)

def __getattr__(name: str) -> Any: ...
'''


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

    write_if_changed(folder / "__init__.pyi", write_package(phlox))
    write_if_changed(folder / "_phlox.pyi", PRIVATE)
    for home in sorted({o.home for o in phlox.operations() if o.home}):
        name = home if "." not in home else "_" + home.replace(".", "_")
        if (folder / f"{name}.py").exists():
            module = importlib.import_module(f"phlox.{name}")
            write_if_changed(folder / f"{name}.pyi", write_home(phlox, module))


if __name__ == "__main__":
    main()
