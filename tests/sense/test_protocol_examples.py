"""The examples in the docstrings of the field protocols are true."""

import doctest
import importlib
import pkgutil

import pytest

import zhongshu.sense.protocol as room

MODULES = sorted(module.name for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_protocol_module_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
