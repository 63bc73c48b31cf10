"""The embedded lab: nodes, namespaces, daemons and images on this machine."""
