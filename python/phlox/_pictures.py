"""What px.vision has beside operations: simple pictures of results, and notebooks that show them."""

from __future__ import annotations

import tempfile as _tempfile
from pathlib import Path as _Path

from ._phlox import Tensor as _Tensor
from ._phlox import _files, _vision

beside = _vision.beside
draw_confusion = _vision.draw_confusion
draw_images = _vision.draw_images
draw_predictions = _vision.draw_predictions


class Picture:
    """What `show` returns: a notebook shows it as a picture."""

    def __init__(self, image: _Tensor) -> None:
        self.image = image

    def _repr_png_(self) -> bytes:
        with _tempfile.TemporaryDirectory() as folder:
            path = _Path(folder) / "picture.png"
            _files.save_png(self.image, path)
            return path.read_bytes()

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"<picture of {width} x {height} pixels>"


def show(image: _Tensor) -> Picture:
    """Shows a picture uint8[height, width], or with 3 or 4 channels last, when a notebook's cell ends with it."""
    return Picture(image)
