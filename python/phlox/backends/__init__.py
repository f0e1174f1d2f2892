"""What scripts expect under torch.backends: switches of libraries that Phlox does not use, or does not need to be told of.

Setting `cudnn.benchmark`, `cuda.matmul.allow_tf32` and their like changes nothing: results do not depend on the number
of threads or on timings.
"""

from types import SimpleNamespace

from . import cudnn as cudnn
from . import mps as mps

cuda = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False), is_built=lambda: False)
mkldnn = SimpleNamespace(enabled=True, is_available=lambda: True)
