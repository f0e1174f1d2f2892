"""Apple's GPUs, which are not supported."""


def is_available() -> bool:
    """False."""
    return False


is_built = is_available
