"""Lets the tests of einops choose Phlox: their list of backends is fixed. `pytest -p einops_plugin --pyargs einops.tests`."""

import einops.tests
from phlox.einops import PhloxBackend


class Backend(PhloxBackend):
    def from_numpy(self, x):  # as einops has it for PyTorch: its tests ask for gradients
        tensor = super().from_numpy(x)
        return tensor.requires_grad_() if self.is_float_type(tensor) else tensor


_backends_of_einops = einops.tests.collect_test_backends


def collect_test_backends(symbolic=False, layers=False):
    if symbolic or layers:
        return _backends_of_einops(symbolic, layers)
    return [Backend()]


einops.tests.collect_test_backends = collect_test_backends
