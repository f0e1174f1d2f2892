"""Schedules: how learning rates change. `schedule.step()` comes after `optimizer.step()`."""

from .._phlox import CosineAnnealingLR as CosineAnnealingLR
from .._phlox import ExponentialLR as ExponentialLR
from .._phlox import LambdaLR as LambdaLR
from .._phlox import LinearLR as LinearLR
from .._phlox import LRScheduler as LRScheduler
from .._phlox import MultiStepLR as MultiStepLR
from .._phlox import OneCycleLR as OneCycleLR
from .._phlox import ReduceLROnPlateau as ReduceLROnPlateau
from .._phlox import SequentialLR as SequentialLR
from .._phlox import StepLR as StepLR
