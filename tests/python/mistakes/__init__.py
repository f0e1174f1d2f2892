"""Mistakes that people make, one a function, each with the whole text of its error as docstring.

A new mistake is a new function; `python tests/python/test_error_texts.py --accept` writes the texts, to be read before
they are committed.
"""
