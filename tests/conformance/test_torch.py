"""Every operation that PyTorch has under the same name: same results, same gradients, from the same call.

PyTorch is an outside judge: nothing here says what is right. The registry gives the calls.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import phlox as px

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import sampling  # noqa: E402


def peer_of(operation):
    """PyTorch's function of the same name, or None."""
    home = torch
    for part in filter(None, operation.home.split(".")):
        home = getattr(home, part, None)
    name = operation.__name__
    return next(
        (f for place in (home, torch, torch.nn.functional) if (f := getattr(place, name, None))), None
    )


def samples_of(operation):
    if operation.is_pointwise:
        return sampling.pointwise_samples(operation)
    return sampling.read_samples(operation)


OPERATIONS = [
    o
    for o in px.operations()
    if (o.is_pointwise or o.samples) and o.family != "random" and callable(peer_of(o)) and not o.overload_of
]


def mapped(value, change):
    """Nested arguments with everything else than containers changed."""
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(v, change) for v in value)
    if isinstance(value, dict):
        return {name: mapped(v, change) for name, v in value.items()}
    return change(value)


def as_leaf(value):
    if isinstance(value, px.Tensor) and value.requires_grad:
        return value.detach().requires_grad_()
    return value


def to_torch(value):
    if isinstance(value, px.Tensor):
        return torch.from_numpy(value.detach().numpy().copy()).requires_grad_(value.requires_grad)
    if isinstance(value, px.dtype):
        return getattr(torch, str(value).split(".")[-1])
    return value


def leaves(value):
    """The tensors in nested arguments that take a gradient, in order."""
    if isinstance(value, (px.Tensor, torch.Tensor)):
        return [value] if value.requires_grad else []
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (list, tuple)) else []


def results_of(value):
    if isinstance(value, (list, tuple)) and not isinstance(value, (px.Size, torch.Size)):
        return [item for part in value for item in results_of(part)]
    return [value]


def array(value):
    if isinstance(value, (px.dtype, torch.dtype)):
        return np.asarray(str(value).split(".")[-1])
    if isinstance(value, torch.Tensor):
        return value.detach().numpy(force=True)  # conjugates and zeros that exist only as a note, too
    return value.detach().numpy() if isinstance(value, px.Tensor) else np.asarray(value)


def assert_same(ours, theirs, what):
    ours, theirs = array(ours), array(theirs)
    assert ours.shape == theirs.shape, what
    if ours.dtype.kind in "fc":
        scale = np.max(np.abs(theirs), initial=1.0, where=np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * scale, equal_nan=True, err_msg=what)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=what)


def weighted_sum(module, results):
    """A number that depends on each element of each differentiable result in a way of its own."""
    total = 0
    for result in results:
        if isinstance(result, module.Tensor) and result.requires_grad:
            if result.is_complex():
                result = module.view_as_real(result.resolve_conj())
            weights = np.cos(np.arange(result.numel(), dtype="float64")).reshape(tuple(result.shape))
            total = total + (result * module.from_numpy(weights)).sum()
    return total


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
def test_same(operation):
    compared = 0
    for text, args, kwargs in samples_of(operation):
        make = partial(sampling.to_tensor, dtype="float64", layout="contiguous")
        make = partial(make, requires_grad=operation.differentiable)
        args, kwargs = (mapped(sampling.convert(a, make), as_leaf) for a in (args, kwargs))
        peer_args, peer_kwargs = mapped(args, to_torch), mapped(kwargs, to_torch)
        try:
            theirs = results_of(peer_of(operation)(*peer_args, **peer_kwargs))
        except (TypeError, RuntimeError, ValueError, IndexError, AttributeError):
            continue  # a form of the call that PyTorch does not have
        compared += 1
        ours = results_of(operation(*args, **kwargs))
        assert len(ours) == len(theirs), text
        for mine, other in zip(ours, theirs):
            assert_same(mine, other, text)
        ours_sum, theirs_sum = weighted_sum(px, ours), weighted_sum(torch, theirs)
        if isinstance(ours_sum, px.Tensor) and isinstance(theirs_sum, torch.Tensor):
            try:
                theirs_sum.backward()
            except RuntimeError:  # PyTorch has no derivative here, or fails to find it
                continue
            ours_sum.backward()
            pairs = zip(leaves([args, kwargs]), leaves([peer_args, peer_kwargs]))
            for mine, other in pairs:
                # No gradient and one of zeros mean the same.
                gradients = [array(x) * 0 if x.grad is None else array(x.grad) for x in (mine, other)]
                assert_same(*gradients, f"gradient of {text}")
    if not compared:
        pytest.skip("PyTorch takes none of the sample calls")
