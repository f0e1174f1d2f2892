"""PyTorch's OpInfo database as a judge: its samples, its results, gradients and refusals, against Phlox.

`python tests/conformance/opinfo_judge.py --help` runs it.
"""
