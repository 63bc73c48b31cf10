"""The list of Flatnet's pytest plugins."""

pytest_plugins = [
    "fixtures.options",
    "reports.plugin",
    "fixtures.run",
    "fixtures.cluster",
    "fixtures.containers",
    "fixtures.names",
    "fixtures.registry",
    "fixtures.services",
    "fixtures.jobs",
    "fixtures.web",
    "fixtures.catalogue",
    "fixtures.evidence",
    "fixtures.probing",
    "fixtures.addresses",
    "fixtures.exposure",
    "fixtures.isolation",
    "fixtures.path",
    "fixtures.checksums",
    "fixtures.resilience",
    "fixtures.topology",
]
