"""The copies of a kernel for different instruction sets must not be mixed up by the linker."""

# shard: foundation
from pathlib import Path

import check_kernel_symbols

import phlox


def test_kernel_symbols_carry_their_instruction_set():
    build = Path(phlox.__file__).parents[2]
    assert list((build / "CMakeFiles").glob("phlox_kernels_*.dir")), f"{build} is no build folder"
    assert check_kernel_symbols.faults(build) == []
