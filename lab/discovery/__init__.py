"""Finds out what a cluster is made of and writes it as a cluster file; changes nothing on the nodes."""
