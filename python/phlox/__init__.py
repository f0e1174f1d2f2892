"""Phlox: a deep-learning framework. Eager to write, static to run.

    import phlox as px
    x = px.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    px.relu(x - 2).sum().backward()
    x.grad

All operations are functions here, and methods of `px.Tensor` where a tensor comes first. They come from one registry:
`px.operations()` lists them.
"""

from __future__ import annotations

import importlib as _importlib
import math as _math

from . import _phlox
from ._arithmetic import can_cast, constant_pad_nd, fill, rsub, scalar_tensor
from ._modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
    set_trap_nonfinite,
    trap_nonfinite,
)
from ._numbers import finfo, iinfo
from ._phlox import (
    Generator,
    Graph,
    Size,
    Tensor,
    __version__,
    as_tensor,
    asarray,
    default_generator,
    device,
    dtype,
    from_dlpack,
    from_numpy,
    get_default_dtype,
    get_num_threads,
    get_rng_state,
    initial_seed,
    is_available,
    manual_seed,
    promote_types,
    seed,
    set_default_dtype,
    set_num_threads,
    set_rng_state,
    tensor,
)
from ._settings import (
    are_deterministic_algorithms_enabled,
    get_float32_matmul_precision,
    set_float32_matmul_precision,
    set_printoptions,
    use_deterministic_algorithms,
)
from ._trace import trace
from ._vmap import vmap
from .errors import (
    DeviceError,
    DTypeError,
    FileError,
    FormatError,
    GradientError,
    GraphError,
    NotSupportedError,
    OutOfMemoryError,
    PhloxError,
    ShapeError,
    StateError,
)

from .io import load as load  # isort: skip
from .io import save as save  # isort: skip
from .train import predict as predict  # isort: skip
from .train import progress as progress  # isort: skip
from ._control_flow import cond as cond  # isort: skip
from ._control_flow import map as map  # isort: skip
from ._control_flow import scan as scan  # isort: skip
from ._control_flow import while_loop as while_loop  # isort: skip
from ._control_flow import associative_scan as associative_scan  # isort: skip
from ._control_flow import foldl as foldl  # isort: skip
from ._control_flow import foldr as foldr  # isort: skip
from ._control_flow import switch as switch  # isort: skip
from ._functions import broadcast_shapes as broadcast_shapes  # isort: skip
from ._functions import from_file as from_file  # isort: skip
from ._functions import frombuffer as frombuffer  # isort: skip
from ._functions import getitem as getitem  # isort: skip
from ._functions import histogramdd as histogramdd  # isort: skip
from ._functions import isdtype as isdtype  # isort: skip
from ._functions import setitem as setitem  # isort: skip
from ._functions import stop_gradient as stop_gradient  # isort: skip
from .autograd.checkpointing import checkpoint as checkpoint  # isort: skip
from .autograd.function import custom_gradient as custom_gradient  # isort: skip
from ._jit import disable_jit as disable_jit  # isort: skip
from ._jit import jit as jit  # isort: skip
from ._script import script as script  # isort: skip
from .sparse import sparse_bsc_tensor as sparse_bsc_tensor  # isort: skip
from .sparse import sparse_bsr_tensor as sparse_bsr_tensor  # isort: skip
from .sparse import sparse_compressed_tensor as sparse_compressed_tensor  # isort: skip
from .sparse import sparse_coo_tensor as sparse_coo_tensor  # isort: skip
from .sparse import sparse_csc_tensor as sparse_csc_tensor  # isort: skip
from .sparse import sparse_csr_tensor as sparse_csr_tensor  # isort: skip
from . import _forms as _forms  # isort: skip  (PyTorch's other forms of some calls)
from . import _tensor as _tensor  # isort: skip  (gives Tensor the methods that are written in Python)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import bool as _bool
    from builtins import int as _int
    from types import ModuleType as _ModuleType
    from typing import Any as _Any

# The dtypes: px.float32, px.int64, ... and the short names that PyTorch has for them.
globals().update(_phlox.dtypes)
bool = _phlox.dtypes["bool"]
half, float, double = _phlox.dtypes["float16"], _phlox.dtypes["float32"], _phlox.dtypes["float64"]
short, int, long = _phlox.dtypes["int16"], _phlox.dtypes["int32"], _phlox.dtypes["int64"]
cfloat, cdouble = _phlox.dtypes["complex64"], _phlox.dtypes["complex128"]

# The operations: px.add, px.matmul, ... An operation of the same name as something above does not replace it.
for _name, _function in vars(_phlox).items():
    if isinstance(_function, _phlox.Operation):
        globals().setdefault(_name, _function)

newaxis = None
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
FloatTensor = Tensor
channels_last, contiguous_format, preserve_format = "channels_last", "row_major", "preserve"
strided = "strided"
sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc = (
    "sparse_coo",
    "sparse_csr",
    "sparse_csc",
    "sparse_bsr",
    "sparse_bsc",
)


def operations() -> list[_phlox.Operation]:
    """All operations, sorted by name. Each tells its parameters, documentation, family, samples and more."""
    found = {id(f): f for f in vars(_phlox).values() if isinstance(f, _phlox.Operation)}
    return sorted(found.values(), key=lambda f: f.__name__)


def is_tensor(obj: object) -> _bool:
    """True for a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> _bool:
    """True for a tensor of a floating dtype."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> _bool:
    """True for a tensor of a complex dtype."""
    return input.dtype.is_complex


def numel(input: Tensor) -> _int:
    """The number of elements of a tensor."""
    return input.numel()


def result_type(*arguments: _Any) -> dtype:
    """The dtype of the result of an operation on these tensors, numbers and dtypes. Numbers are weak.

    Example:
        px.result_type(px.int64, px.float16)  # phlox.float16
    """
    found: dtype | None = None
    for argument in arguments:
        kind = (
            argument.dtype
            if isinstance(argument, Tensor)
            else argument
            if isinstance(argument, dtype)
            else None
        )
        if kind is not None:
            found = kind if found is None else promote_types(found, kind)
    numbers = [a for a in arguments if not isinstance(a, (Tensor, dtype))]
    if found is None:
        return tensor(numbers).dtype
    for number in numbers:
        found = (_phlox.zeros((0,), dtype=found) + number).dtype
    return found


def __getattr__(name: str) -> _ModuleType:
    """Submodules are loaded when they are first used: px.nn, px.optim, px.linalg, ..."""
    if name.startswith("_"):
        raise AttributeError(f"module 'phlox' has no attribute {name!r}")
    try:
        return _importlib.import_module(f"phlox.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"phlox.{name}":
            raise
    import difflib

    close = difflib.get_close_matches(name, globals(), n=3)
    hint = f"; did you mean {' or '.join('px.' + c for c in close)}?" if close else ""
    raise AttributeError(f"module 'phlox' has no attribute {name!r}{hint}")


__all__ = [_n for _n in globals() if not _n.startswith("_") and _n not in ("bool", "float", "int", "e")]
