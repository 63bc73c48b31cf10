"""Every module with fixtures or hooks of pytest is one of the plugins, and is loaded once."""

from __future__ import annotations

import ast

from fixtures.plugins import pytest_plugins
from tests.unit.house.test_architecture import MODULES


def has_fixtures(text: str) -> bool:
    """Whether a module has a function that pytest calls: a fixture or a hook."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    decorators = {ast.unparse(decorator).partition("(")[0] for made in functions for decorator in made.decorator_list}
    return "pytest.fixture" in decorators or any(made.name.startswith("pytest_") for made in functions)


def test_a_fixture_or_a_hook_makes_a_plugin() -> None:
    assert has_fixtures("@pytest.fixture(scope='session')\ndef fleet(): ...")
    assert has_fixtures("@pytest.fixture\ndef fleet(): ...")
    assert has_fixtures("def pytest_addoption(parser): ...")
    assert not has_fixtures("import pytest\ndef fleet(): ...")


def test_every_module_with_fixtures_is_a_plugin() -> None:
    found = {
        path.removesuffix(".py").replace("/", ".")
        for path, text in MODULES
        if path.startswith(("fixtures/", "reports/")) and has_fixtures(text)
    }
    assert sorted(pytest_plugins) == sorted(found)
