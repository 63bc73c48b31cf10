# Judges the cluster every night, from an image made by docs/examples/Dockerfile.
#
#     nomad job run docs/examples/flatnet-nightly.nomad
#     nomad job periodic force flatnet-nightly            # now, and not only at night
#
# /srv/flatnet holds cluster.yaml and the keys that it names, and keeps the history. Nomad's client has to allow that
# (`plugin "docker" { config { volumes { enabled = true } } }`), and the node has to have the image.
#
# It runs on one of the nodes that it tests. So it leaves out what would stop that node's engine, and does not say --gate,
# which asks for that too; for a complete gate use a runner beside the cluster.
job "flatnet-nightly" {
  datacenters = ["dc1"]
  type        = "batch"

  periodic {
    cron             = "17 2 * * *"
    prohibit_overlap = true
  }

  group "night" {
    # A red night is a finding. It is not run again until it is green.
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "suites" {
      driver = "docker"

      config {
        image        = "flatnet:0.9.0"
        network_mode = "host"

        args = [
          "suites",
          "--cluster", "/srv/flatnet/cluster.yaml",
          "--no-disruptive",
          "--history", "/srv/flatnet",
          "--baseline", "/srv/flatnet",
          "--out", "/srv/flatnet/out",
        ]

        volumes = ["/srv/flatnet:/srv/flatnet"]
      }

      resources {
        cpu    = 1000
        memory = 1024
      }

      # A run that is stopped takes back what it made.
      kill_signal  = "SIGINT"
      kill_timeout = "60s"
    }
  }
}
