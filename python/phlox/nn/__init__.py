"""Networks: modules, layers, losses and starting values, with PyTorch's names and arguments.

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.head = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = px.max_pool2d(px.relu(self.conv(x)), 2)
        return self.head(x.flatten(1))
"""

from .. import _phlox
from .._phlox import Module as Module
from . import functional as functional
from . import init as init
from . import utils as utils
from .module import IncompatibleKeys as _IncompatibleKeys  # noqa: F401  (gives Module its methods)

from .parameter import Parameter as Parameter  # isort: skip
from .container import ModuleDict as ModuleDict  # isort: skip
from .container import ModuleList as ModuleList  # isort: skip
from .container import ParameterDict as ParameterDict  # isort: skip
from .container import ParameterList as ParameterList  # isort: skip
from .container import Sequential as Sequential  # isort: skip
from .distance import CosineSimilarity as CosineSimilarity  # isort: skip
from .distance import PairwiseDistance as PairwiseDistance  # isort: skip
from .upsampling import PixelShuffle as PixelShuffle  # isort: skip
from .upsampling import PixelUnshuffle as PixelUnshuffle  # isort: skip
from .upsampling import Upsample as Upsample  # isort: skip

# The layers, which are C++ classes.
for _name, _class in vars(_phlox).items():
    if isinstance(_class, type) and issubclass(_class, Module):
        globals()[_name] = _class
