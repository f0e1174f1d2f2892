"""What training does to gradients and parameters as a whole: `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`."""

from .._phlox import _nn_utils

for _name, _function in vars(_nn_utils).items():
    if not _name.startswith("_"):
        globals()[_name] = _function
