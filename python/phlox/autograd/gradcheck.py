"""A test of gradients against differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _phlox
from .._failure import fail
from .._modes import no_grad
from .._phlox import Tensor


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of `func` agree with central differences of step `eps`.

    `func` takes the inputs and gives a real tensor or several; the inputs that require gradients must be float64, since
    differences in float32 are too coarse, and are left as they were. Where a function has a kink, differences say
    nothing. Returns True; otherwise raises GradientError, or returns False without `raise_exception`.

    Example:
        px.autograd.gradcheck(px.sin, px.randn(3, dtype=px.float64, requires_grad=True))
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        fail("ValueError", "invalid_value", "gradcheck: no input requires gradients", "requires_grad=True")
    for i in checked:
        if given[i].dtype.name != "float64":
            fail("ValueError", "invalid_value", f"gradcheck: input {i} must be float64", input=given[i])
    copies = [x.detach().contiguous().clone() if i in checked else x for i, x in enumerate(given)]
    for i in checked:
        copies[i].requires_grad_()

    def outputs() -> list[Tensor]:
        result = func(*copies)
        return [result] if isinstance(result, Tensor) else list(result)

    for number, output in enumerate(outputs()):
        if not output.requires_grad:
            continue
        rows: list[list[Any]] = []  # of the Jacobian: the gradients of one element of the output
        for k in range(output.numel()):
            gradient = _phlox._grad(
                [output.flatten()[k]], [copies[i] for i in checked], [], True, False, True
            )
            rows.append([g if g is None else g.flatten().tolist() for g in gradient])
        for position, i in enumerate(checked):
            flat = copies[i].detach().view(-1)
            for j in range(flat.numel()):
                with no_grad():
                    value = flat[j].item()
                    flat[j] = value + eps
                    above = outputs()[number].flatten().tolist()
                    flat[j] = value - eps
                    below = outputs()[number].flatten().tolist()
                    flat[j] = value
                for k, row in enumerate(rows):
                    analytic = 0.0 if row[position] is None else row[position][j]
                    numeric = (above[k] - below[k]) / (2 * eps)
                    if abs(analytic - numeric) <= atol + rtol * abs(numeric):
                        continue
                    if not raise_exception:
                        return False
                    fail(
                        "GradientError",
                        "invalid_value",
                        f"gradcheck: the derivative of element {k} of output {number} by element {j} of input {i} is "
                        f"{analytic} by backward() and {numeric} by differences",
                    )
    return True
