"""What all tests share: the same random numbers in each, and settings that do not leak."""

import pytest

import phlox as px


@pytest.fixture(autouse=True)
def same_state():
    px.manual_seed(0)
    dtype, mode = px.get_default_dtype(), px._phlox._get_mode()
    yield
    px.set_default_dtype(dtype)
    px._phlox._set_mode(mode)
