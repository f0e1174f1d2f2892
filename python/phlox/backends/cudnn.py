"""Switches that may be set, without effect."""

benchmark = False
deterministic = True
enabled = False
allow_tf32 = False


def is_available() -> bool:
    """False: cuDNN is not used."""
    return False


def version() -> None:
    """None: cuDNN is not used."""
