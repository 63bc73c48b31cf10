"""Flatnet as a plugin of pytest."""

import pytest

pytest_plugins = ["fixtures.plugins"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without one of Flatnet's plugins: tests would pass, and no verdict would follow from them."""
    listed = config.pluginmanager.get_plugin("fixtures.plugins")
    for name in ["fixtures.plugins"] if listed is None else listed.pytest_plugins:
        if not config.pluginmanager.has_plugin(name):
            raise pytest.UsageError(f"-p no:{name}: without this plugin a run comes to no verdict; leave that out")
