"""The names of torch.utils.checkpoint."""

from ..autograd.checkpointing import checkpoint as checkpoint
from ..autograd.checkpointing import checkpoint_sequential as checkpoint_sequential
