#!/usr/bin/env python3
"""Measures how far the math functions are off and writes docs/accuracy.md.

  tools/measure_accuracy.py --build build/release             f64 by mpmath, and f32 on all 2^32 numbers (an hour)
  tools/measure_accuracy.py --build build/release --stride 64  f32 on one number of 64

Needs the built package on PYTHONPATH, mpmath and gmpy2.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))

from math_reference import MATH, worst_error  # noqa: E402

import phlox as px  # noqa: E402

HEAD = """# How exact the math functions are

The largest errors that were found, in units in the last place (ULP): the distance of two neighbouring numbers where the
exact result lies. 0.5 is the best there can be, as results are rounded. Written by `tools/measure_accuracy.py`; tests
hold the limits.

f64 was compared with mpmath in 200 bits on {count} numbers a function: each exponent with both signs, and the
ranges where a function changes. f32 was compared with f64 on {single}; functions that compute in f64
inside differ from it by the last rounding alone. `f16` and `bf16` compute in f32.

Near zeros that are no simple numbers (those of lgamma and digamma below 0, of the Bessel and Airy functions) errors are
measured against the size of what the function is a sum of: a quarter of the amplitude of J, Y and Ai, `1 + |lgamma(-x)|`,
`1 + |digamma(1 - x)|`. Besides: `igamma` and `igammac` stay below 1e-13 relative, `betainc` below 1e-12, `polygamma`
below 8 ULP. Complex functions are computed in f64 parts by the C++ library's complex functions.

| function | limit | f32 | f64 | where f64 is worst |
|---|---:|---:|---:|---|
"""

# Operations whose scalar function has another name.
SCALAR_NAMES = {
    "i0": "bessel_i0",
    "i0e": "bessel_i0e",
    "i1": "bessel_i1",
    "i1e": "bessel_i1e",
    "k0": "bessel_k0",
    "k0e": "bessel_k0e",
    "k1": "bessel_k1",
    "k1e": "bessel_k1e",
}


def single_errors(build, stride):
    with tempfile.NamedTemporaryFile("r") as file:
        subprocess.run(
            [build / "phlox_tests", "--gtest_filter=MathAccuracy.SlowAllSingleNumbers"],
            env={**os.environ, "PHLOX_ACCURACY_FILE": file.name, "PHLOX_ACCURACY_STRIDE": str(stride)},
            check=False,
        )
        return dict(line.split() for line in Path(file.name).read_text().splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--count", type=int, default=2098, help="numbers of each kind for a function in f64")
    options = parser.parse_args()
    single = single_errors(options.build, options.stride)
    many = "all 2^32 numbers" if options.stride == 1 else f"one number of {options.stride}"
    lines = [HEAD.format(count=f"{2 * options.count} and more", single=many)]
    for name, function in MATH.items():
        operation = getattr(px, name)
        error, arguments, _, _ = worst_error(
            name, lambda *a, f=operation: f(*[px.from_numpy(v) for v in a]).numpy(), options.count
        )
        f32 = single.get(SCALAR_NAMES.get(name, name))
        f32 = f"{float(f32):.2f}" if f32 else ""
        where = ", ".join(f"{a:.6g}" for a in arguments)
        lines.append(f"| `{name}` | {function.limit:.3g} | {f32} | {error:.2f} | {where} |\n")
        print(lines[-1], end="", flush=True)
    (ROOT / "docs" / "accuracy.md").write_text("".join(lines))


if __name__ == "__main__":
    main()
