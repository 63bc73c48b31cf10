"""Nodes as virtual machines: their disk images, their files, and QEMU."""
