"""Random programs do captured what they do eagerly, bit by bit: always the same ones. `./dev fuzz programs` makes more."""

# shard: graph

from dataclasses import replace

import pytest
from fuzzing.compare import compare
from fuzzing.program import Program, draw_program
from fuzzing.shrink import shrink

PROGRAMS, CHUNK = 1200, 50


@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_programs(first):
    kinds = []
    for seed in range(first, first + CHUNK):
        program = draw_program(seed)
        outcome = compare(program)
        if outcome.kind == "different":
            program = shrink(program)
            pytest.fail(f"{program.text()}\n# {compare(program).what}")
        kinds.append(outcome.kind)
    assert kinds.count("same") > CHUNK / 2, "most programs can be captured"


def test_a_difference_is_found_and_made_small():
    """A captured function keeps the tensors that it found, where Python looks names up again."""
    program = Program(
        seed=1,
        state=("w0 = data(1, (3,))", "w1 = data(2, (2,))"),
        arguments=(("a0", "data(3 + call, (3,))"), ("a1", "data(4, ())")),
        body=("t1 = a0 * 2", "t2 = t1 + w0", "t3 = a0.exp()", "a1.add_(1)"),
        results=("t1", "t2", "t3"),
        between=("w1.add_(1)", "w0 = data(5 + len(w0), (3,))"),
    )
    outcome = compare(program)
    assert outcome.kind == "different" and "call 1" in outcome.what
    small = shrink(program)
    assert small.body == program.body[:2] and small.results == ("t2",) and len(small.between) == 1
    assert compare(small).kind == "different"
    scope = {}
    exec(small.text(), scope)  # it runs as it is printed
    scope["function"](*scope["arguments"](0))
    assert compare(replace(program, between=())).kind == "same"
