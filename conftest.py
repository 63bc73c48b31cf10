"""Flatnet as a plugin of pytest."""

pytest_plugins = ["fixtures.plugins"]
