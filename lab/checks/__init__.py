"""What a run needs of a cluster, tried before it begins: all problems at once, each with the way out."""
