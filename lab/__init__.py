"""The cluster under test: inventory, transports, overlays and the embedded lab."""
