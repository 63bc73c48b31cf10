"""The files of a run's report, one format a module."""
