"""What scripts expect under torch.utils."""

from . import data as data
