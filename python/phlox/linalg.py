"""The operations that live in px.linalg."""

from ._homes import fill as _fill
from ._phlox import matmul as matmul
from ._phlox import matrix_transpose as matrix_transpose
from ._phlox import outer as outer
from ._phlox import tensordot as tensordot
from .errors import LinAlgError as LinAlgError

_fill(globals(), "linalg")
