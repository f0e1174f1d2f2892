"""Converted functions do on ordinary values exactly what the functions do."""

# shard: graph

import types

import corpus_flow
import corpus_names
import pytest
from comparison import compare
from phlox.capture import convert

HELPERS = {"note", "generator_function", "decorator_is_not_applied_again"}
FUNCTIONS = [
    f
    for module in (corpus_flow, corpus_names)
    for name, f in vars(module).items()
    if isinstance(f, types.FunctionType) and f.__module__ == module.__name__ and name not in HELPERS
]


def test_there_are_enough():
    assert len(FUNCTIONS) >= 135


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_same(function):
    for a in (0, 1, 2, 3, 5):
        compare(function, a)


def test_same_signature_and_names():
    f = corpus_names.docstring_and_annotations
    made = convert(f)
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__defaults__", "__annotations__"):
        assert getattr(made, name) == getattr(f, name)
    assert convert(f) is made


def test_cells_are_shared():
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    made = convert(step)
    assert (made(), step(), made(), count) == (1, 2, 3, 3)
    count = 10
    assert made() == 11


def test_globals_are_live(monkeypatch):
    made = convert(corpus_names.host_reads)
    monkeypatch.setitem(corpus_names.TABLE, "a", [0, 77])
    monkeypatch.setattr(corpus_names, "COUNTER", 3)
    assert made(0)[0] == 77


def test_methods_stay_bound():
    d = corpus_names.Derived(4)
    made = convert(d.who)
    assert made.__self__ is d and made() == d.who()


def test_lambdas_in_one_line():
    f, g = lambda x: x if x else 1, lambda x: x if x else 2
    assert (convert(f)(0), convert(g)(0)) == (1, 2)


def test_without_source_it_stays_as_it_is():
    space = {}
    exec("def f(x):\n    return 1 if x else 2", space)
    assert convert(space["f"]) is space["f"]
