"""Gradients of what a branch or loop uses: where it did not run there is none, as eagerly."""

# shard: graph

import pytest

import phlox as px


def leaf(*values):
    return px.tensor([float(v) for v in values]).requires_grad_()


def by_branch(w, v, c):
    return ((w if c > 0 else v) * 2).sum()


def by_nested_branches(w, v, c):
    y = w * 0.5
    if c > 0:
        y = y + (v * 3 if c > 2 else v * w)
    return y.sum()


def by_an_operation_before(w, v, c):
    q = w * 2
    return (q.exp() if c > 0 else v * 3).sum()


def by_two_branches(w, v, c):
    a = w.sum() if c > 0 else v.sum()
    b = w.sum() * 2 if c > 2 else v.sum() * 3
    return a + b


def by_a_loop(w, v, c):
    h = v * 1
    for _ in range(c.clamp_min(0).to(px.int64)):
        h = h * w
    return h.sum()


def by_an_overwritten_state(w, v, c):
    h = w * 1
    while c > 0:
        h = v * 2
        c = c - 1
    return h.sum()


PROGRAMS = [
    by_branch,
    by_nested_branches,
    by_an_operation_before,
    by_two_branches,
    by_a_loop,
    by_an_overwritten_state,
]
CONDITIONS = (1.0, -1.0, 3.0, 1.0)


def same(a, b):
    return (a is None) == (b is None) and (a is None or px.equal(a, b))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("clear", ["none", "zeros", "keep"])
def test_there_is_none_where_the_branch_did_not_run(program, clear):
    def make(jit):
        w, v = leaf(1, 2), leaf(3, 4)

        def step(c):
            for p in (w, v):
                if clear == "none":
                    p.grad = None
            loss = program(w, v, c)
            loss.backward()
            return loss.detach()

        return w, v, px.jit(step) if jit else step

    eager, captured = make(False), make(True)
    if clear == "zeros":
        for p in (*eager[:2], *captured[:2]):
            p.grad = px.zeros_like(p)
    for c in CONDITIONS:
        assert px.allclose(captured[2](px.tensor(c)), eager[2](px.tensor(c)))
        for mine, theirs in zip(captured[:2], eager[:2]):
            assert same(mine.grad, theirs.grad), (c, mine.grad, theirs.grad)


def adam_step(jit, program):
    w, v = leaf(1, 2), leaf(3, 4)
    optimizer = px.optim.AdamW([w, v], lr=0.1)

    def step(c):
        optimizer.zero_grad()
        loss = program(w, v, c)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return w, v, px.jit(step) if jit else step


def test_an_optimiser_never_moves_what_has_no_gradient():
    eager, captured = adam_step(False, by_nested_branches), adam_step(True, by_nested_branches)
    for c in (1.0, 3.0, 1.0):  # both have a gradient
        eager[2](px.tensor(c)), captured[2](px.tensor(c))
        assert px.allclose(captured[0], eager[0]) and px.allclose(captured[1], eager[1])
    before = captured[1].detach().clone()
    with pytest.raises(AssertionError, match="None in this run"):
        captured[2](px.tensor(-1.0))
    assert px.equal(captured[1], before)


def test_grad_of_what_has_none():
    @px.jit
    def slope(w, v, c):
        return px.autograd.grad(by_branch(w, v, c), [w])[0]

    assert px.equal(slope(leaf(1, 2), leaf(3, 4), px.tensor(1.0)), px.tensor([2.0, 2.0]))
    with pytest.raises(AssertionError, match="None in this run"):
        slope(leaf(1, 2), leaf(3, 4), px.tensor(-1.0))
