"""What belongs to training, beside layers, optimisers and data."""

from ._modes import no_grad
from ._phlox import _data, cat
from .errors import ValueError


class Progress:
    """A loop with a progress bar: `for epoch in (bar := progress(10)): bar.set("loss", loss)`."""

    def __init__(self, total, label="epoch", unit=""):
        self._total, self._bar = total, _data.Progress(total, label, unit)
        self.count, self.set = self._bar.count, self._bar.set

    def __iter__(self):
        try:
            for step in range(self._total):
                yield step
                self._bar.advance()
        finally:  # also when the loop is left early
            self._bar.close()


def progress(total, label="epoch", unit=""):
    """A progress bar for a loop of `total` steps. `count(n)` shows how many of `unit` are done each second."""
    return Progress(total, label, unit)


def predict(module, input, batch_size=256):
    """The module's outputs for all rows of `input`, computed `batch_size` rows at a time.

    Runs without gradients and with the module in evaluation mode; afterwards each part of it is in the mode it was in
    before. Raises ValueError for a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"[E0101] predict: batch_size is {batch_size}, and at least 1 is needed")
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with no_grad():
            return cat([module(rows) for rows in input.split(batch_size)])
    finally:
        for part, training in modes:
            part.training = training
