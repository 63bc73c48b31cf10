# A service of three tasks on Weave through its Docker API proxy: the client's Docker driver has
# `endpoint = "unix:///var/run/weave/weave.sock"`, and each container asks for its subnet.
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
        image = "flatnet/demo:1.1" # a tag, never `latest`: Nomad would try to pull it
      }

      env {
        WEAVE_CIDR = "net:10.32.0.0/24"  # the subnet; `net:default` for the default one
        INSTANCE   = "${NOMAD_ALLOC_ID}" # the demo service answers with it, which tells who answered
      }

      resources {
        cpu    = 50
        memory = 32
      }

      service {
        # Docker does not tell Nomad the address that Weave gave, so no address_mode can register it:
        # Nomad registers the node's address and port 0 (see JOB-4).
        name = "httpbackend"
      }
    }
  }
}
