"""Apple's GPUs, which are not supported."""


def is_available():
    """False."""
    return False


is_built = is_available
