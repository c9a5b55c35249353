import pytest

verdict = pytest.__name__
