"""Starting values of parameters: `nn.init.kaiming_normal_(layer.weight)` fills a tensor in place and returns it."""

from .._phlox import _init

for _name, _function in vars(_init).items():
    if not _name.startswith("_"):
        globals()[_name] = _function
