"""Random programs that are run eagerly and captured, bit by bit.

`python -m fuzzing --count 1000` (with tests/python in PYTHONPATH), or `./dev fuzz programs`. A finding is printed as a
program of its own, with as few statements as show the difference.
"""
