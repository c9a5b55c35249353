"""`requirements.txt` is made from `pyproject.toml`; they must not drift apart."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent.parent
PIN = re.compile(
    r"^([a-z0-9._-]+)==([^ ;\\]+)(.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", re.MULTILINE
)


def pins(name: str) -> dict[str, str]:
    text = (HERE / name).read_text("utf-8")
    found = {canonicalize_name(package): version for package, version, _ in PIN.findall(text)}
    stated = [line for line in text.splitlines() if re.match(r"[A-Za-z]", line)]
    assert len(found) == len(stated), "every requirement has an exact version and a hash"
    return found


def test_pins_satisfy_what_the_project_states():
    project = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = pins("requirements.txt")
    for requirement in map(Requirement, project["dependencies"]):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_development_uses_the_same_versions():
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_no_registry_is_named(name):
    assert "://" not in (HERE / name).read_text("utf-8")
