"""Networks."""

from . import functional as functional
