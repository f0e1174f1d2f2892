"""Gives tests of a PyTorch backend Phlox in its place, as `import phlox as torch` does: `pytest -p phlox_as_torch`."""

import sys

import phlox

sys.modules["torch"] = phlox
