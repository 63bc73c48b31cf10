"""Pictures and tables of a report: SVG and HTML that need no other file and no script. Pure."""
