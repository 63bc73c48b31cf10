# The reference set-up's service of three tasks on Weave's network, by its plugin.
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
        image        = "flatnet/demo:1.1" # a tag, never `latest`: Nomad would try to pull it
        network_mode = "weave"
        dns_servers  = ["${attr.unique.network.ip-address}"] # the node's own Consul, on port 53
      }

      env {
        INSTANCE = "${NOMAD_ALLOC_ID}" # the demo service answers with it, which tells who answered
      }

      resources {
        cpu    = 50
        memory = 32
      }

      service {
        name         = "httpbackend" # httpbackend.service.dc1.consul
        port         = "8081"        # the port in the container; none is published on the node
        address_mode = "driver"      # register the address that Docker knows of the container: its overlay address

        check {
          type         = "http"
          path         = "/"
          interval     = "1s"
          timeout      = "2s"
          address_mode = "driver"
          port         = "8081"
        }
      }
    }
  }
}
