"""What scripts expect under torch.backends: switches of libraries that Phlox does not use, or does not need to be told of.

Setting `cudnn.benchmark` and its like changes nothing: results do not depend on the number of threads or on timings.
"""

from . import cudnn as cudnn
from . import mps as mps
