"""Pointwise functions that are bound by arithmetic, on a million floats, with one thread and with all.

Phlox multiplies and adds with two roundings, so that results are the same bits everywhere; PyTorch fuses the two. What
is below 1.0 for that reason may be, down to 0.7.
"""

from side_by_side import Case, compare

FUNCTIONS = (
    "exp expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc "
    "sigmoid abs neg floor ceil round trunc sign square reciprocal lgamma digamma erfinv "
    "F.gelu F.silu F.softplus F.mish F.elu F.hardswish F.leaky_relu F.logsigmoid F.selu F.hardtanh"
).split()
PAIRS = "add sub mul div pow atan2 maximum fmod remainder hypot logaddexp".split()
SETUP = "x = m.rand(1048576) * 0.98 + 0.01; y = m.rand(1048576) + 0.5"
BOTH_SIGNS = "x = m.randn(1048576)"
ABOVE_ONE = "x = m.rand(1048576) + 1.01"


def case(function: str) -> Case:
    if function.startswith("F."):
        return Case(function, BOTH_SIGNS, f"{function}(x)", aim=0.7, threads=1)
    setup = ABOVE_ONE if function == "acosh" else SETUP
    return Case(function, setup, f"m.{function}(x)", aim=0.7, threads=1)


CASES = [
    *(case(f) for f in FUNCTIONS),
    *(Case(f, SETUP, f"m.{f}(x, y)", aim=0.7, threads=1) for f in PAIRS),
]

if __name__ == "__main__":
    compare("Pointwise functions", __file__, CASES)
