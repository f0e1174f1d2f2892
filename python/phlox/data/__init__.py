"""Data: datasets, samplers and loaders.

train, test = px.data.digits().split(0.8)
for x, y in px.data.DataLoader(train, batch_size=64, shuffle=True): ...

`px.utils.data` has the same names.
"""

from ..train import progress as progress
from .dataset import ConcatDataset as ConcatDataset
from .dataset import Dataset as Dataset
from .dataset import IterableDataset as IterableDataset
from .dataset import Subset as Subset
from .dataset import TensorDataset as TensorDataset
from .dataset import digits as digits
from .dataset import digits_from_idx as digits_from_idx
from .dataset import random_split as random_split
from .loader import DataLoader as DataLoader
from .loader import default_collate as default_collate
from .sampler import BatchSampler as BatchSampler
from .sampler import RandomSampler as RandomSampler
from .sampler import Sampler as Sampler
from .sampler import SequentialSampler as SequentialSampler
from .sampler import SubsetRandomSampler as SubsetRandomSampler
from .sampler import WeightedRandomSampler as WeightedRandomSampler
