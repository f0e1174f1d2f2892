"""Thousands of random programs do the same converted, on ordinary and on symbolic values."""

# shard: graph

import importlib.util
import itertools
import sys

import pytest
from comparison import compare
from fake import run_symbolic
from phlox.errors import GraphError
from random_programs import Writer

PROGRAMS = 12


def module_of(seed, symbolic, folder):
    text = Writer(seed, symbolic).module(PROGRAMS)
    if not symbolic:
        text = "from corpus_names import note_block\n" + text
    name = f"random_{'symbolic' if symbolic else 'plain'}_{seed}"
    (folder / f"{name}.py").write_text(text)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return [getattr(module, f"f{i}") for i in range(PROGRAMS)]


def many(count, slow):
    return [*range(count), *(pytest.param(s, marks=pytest.mark.slow) for s in range(count, slow))]


@pytest.mark.parametrize("seed", many(4, 200))
def test_plain(seed, tmp_path):
    for function in module_of(seed, False, tmp_path):
        for a, b in itertools.product((-2, 0, 3), (0, 2)):
            compare(function, a, b)


@pytest.mark.parametrize("seed", many(4, 200))
def test_symbolic(seed, tmp_path):
    ran = 0
    for function in module_of(seed, True, tmp_path):
        for a, b in itertools.product((-2, 1, 3), (0, 2)):
            try:
                result = run_symbolic(function, a, b)
            except GraphError as error:
                assert error.refusal == "loop_else_leaves", error
                continue
            assert result == function(a, b), (function.__name__, a, b)
            ran += 1
    assert ran > 4 * PROGRAMS
