"""What px.nn.functional offers: the operations that live there, and all others, such as `relu`."""

from ._homes import fill

fill(globals(), "nn.functional", and_all_others=True)
