# A service of three tasks in a Docker network that every client has under the same name.
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

    # A task that dies is started again on its node after 1 s, up to 10 times a minute.
    restart {
      attempts = 10
      interval = "1m"
      delay    = "1s"
      mode     = "delay"
    }

    task "httpbackend" {
      driver = "docker"

      config {
        image        = "flatnet/demo:1.1" # a tag, never `latest`: Nomad would try to pull it
        network_mode = "flatnet-a"        # the Docker network: it decides the subnet
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
        address_mode = "driver"      # register the container's own address, not the node's

        check {
          type         = "http"
          path         = "/"
          interval     = "1s"
          timeout      = "2s"
          address_mode = "driver" # Consul asks the container, over the overlay
          port         = "8081"
        }
      }
    }
  }
}
