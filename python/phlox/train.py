"""What belongs to training, beside layers, optimisers and data."""

from __future__ import annotations

from . import _phlox
from ._failure import fail
from ._modes import no_grad as _no_grad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._phlox import Module, Tensor


class Progress:
    """A loop that draws how far it is, with values such as the loss, in one line of standard error.

    Example:
        for epoch in (bar := px.progress(10, unit="images")):
            bar.count(len(images))
            bar.set("loss", loss.item())
    """

    def __init__(self, total: int, label: str = "epoch", unit: str = "") -> None:
        self._total, self._bar = total, _phlox._data.Progress(total, label, unit)

    def count(self, amount: int) -> None:
        """Says that so many things of the unit have been done; shown per second."""
        self._bar.count(amount)

    def set(self, name: str, value: float) -> None:
        """Shows a value until it is set again."""
        self._bar.set(name, value)

    def __iter__(self) -> Iterator[int]:
        try:
            for step in range(self._total):
                yield step
                self._bar.advance()
        finally:  # also when the loop is left early
            self._bar.close()


def progress(total: int, label: str = "epoch", unit: str = "") -> Progress:
    """A progress bar for a loop of `total` steps. `count(n)` shows how many of `unit` are done each second."""
    return Progress(total, label, unit)


def predict(module: Module, input: Tensor, batch_size: int = 256) -> Tensor:
    """The module's outputs for all rows of `input`, computed `batch_size` rows at a time.

    Runs without gradients and with the module in evaluation mode; afterwards each part of it is in the mode it was in
    before. Raises ValueError for a batch size below 1.

    Example:
        scores = px.predict(model, images)  # [images, classes]
    """
    if batch_size < 1:
        fail("ValueError", "invalid_value", f"predict: batch_size is {batch_size}, and at least 1 is needed")
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with _no_grad():
            outputs = [module(rows) for rows in input.split(batch_size)]
            if outputs[0].ndim == 0:
                fail(
                    "ShapeError",
                    "wrong_rank",
                    "predict: the module gives one number for all rows, not outputs row by row",
                    "call the module itself, under px.no_grad()",
                    input=input,
                    output=outputs[0],
                )
            return _phlox.cat(outputs)
    finally:
        for part, training in modes:
            part.training = training
