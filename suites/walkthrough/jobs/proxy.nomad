# The reference set-up's service of three tasks in a subnet of its own, by Weave's proxy.
job "httpbackend" {
  datacenters = ["dc1"]
  type        = "service"

  group "httpbackend" {
    count = 3

    # One task per node, so that the job outlives a node.
    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    task "httpbackend" {
      driver = "docker"

      config {
        image       = "flatnet/demo:1.1" # a tag, never `latest`: Nomad would try to pull it
        dns_servers = ["${attr.unique.network.ip-address}"] # the node's own Consul, on port 53
      }

      env {
        WEAVE_CIDR = "net:10.32.1.0/24"  # the subnet
        INSTANCE   = "${NOMAD_ALLOC_ID}" # the demo service answers with it, which tells who answered
      }

      resources {
        cpu    = 50
        memory = 32
      }

      service {
        # Docker does not tell Nomad the address that Weave gave: the node's address and port 0 are registered.
        name = "httpbackend"
      }
    }
  }
}
