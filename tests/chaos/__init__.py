"""Kills at random moments of a lab's life, to find what they leave behind."""
