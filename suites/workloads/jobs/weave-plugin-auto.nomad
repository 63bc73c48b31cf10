# A service of three tasks on Weave through its Docker plugin; Nomad chooses which address to register.
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
        network_mode = "weave"            # the network that Weave's plugin makes on every node
      }

      env {
        INSTANCE = "${NOMAD_ALLOC_ID}" # the demo service answers with it, which tells who answered
      }

      resources {
        cpu    = 50
        memory = 32
      }

      service {
        # Without an address_mode Nomad registers the container's own address, since its network is
        # not Docker's default one. Then it would register a published port only, so it registers none.
        name = "httpbackend"
      }
    }
  }
}
