"""The state of the default generator, under the names of torch.random."""

from ._phlox import get_rng_state as get_rng_state
from ._phlox import initial_seed as initial_seed
from ._phlox import manual_seed as manual_seed
from ._phlox import seed as seed
from ._phlox import set_rng_state as set_rng_state
