"""The names of torch.utils.data."""

from ..data import DataLoader as DataLoader
from ..data import Dataset as Dataset
from ..data import Subset as Subset
from ..data import TensorDataset as TensorDataset
from ..data import default_collate as default_collate
