"""Unit tests share a machine with labs: no example of hypothesis has a deadline."""

from hypothesis import settings

settings.register_profile("flatnet", deadline=None)
settings.load_profile("flatnet")
