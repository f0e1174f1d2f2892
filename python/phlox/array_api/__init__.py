"""The Array API standard 2024.12 as a namespace: what libraries such as SciPy and scikit-learn ask of any array library.

    import phlox.array_api as xp
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    xp.std(x, axis=0)        # correction=0, as the standard has it
    x.__array_namespace__()  # this module

The arrays are `px.Tensor`, so gradients, `jit` and `vmap` work here as everywhere. Only names, arguments and semantics are
the standard's where PyTorch's, which `px` has, are others. Source: https://data-apis.org/array-api/2024.12/
"""

from . import fft, linalg
from ._creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from ._dtypes import (
    STANDARD_DTYPES,
    __array_namespace_info__,
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from ._elementwise import bitwise_invert, clip, equal, round, sign, standard_functions
from ._manipulation import (
    broadcast_arrays,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    take,
    take_along_axis,
    tile,
    unstack,
)
from ._searching import (
    argmax,
    argmin,
    argsort,
    count_nonzero,
    nonzero,
    searchsorted,
    sort,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    where,
)
from ._statistics import all, any, cumulative_prod, cumulative_sum, diff, max, mean, min, prod, std, sum, var
from .linalg import matmul, matrix_transpose, tensordot, vecdot

__array_api_version__ = "2024.12"

e, inf, nan, pi, newaxis = 2.718281828459045, float("inf"), float("nan"), 3.141592653589793, None

globals().update(STANDARD_DTYPES)
globals().update(standard_functions())
