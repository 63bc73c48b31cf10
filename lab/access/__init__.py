"""How a cluster is reached: SSH, the Docker API, Consul and Nomad on every node."""
