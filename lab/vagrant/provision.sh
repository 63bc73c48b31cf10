#!/bin/sh
# Makes a box of Debian a node: packages, Consul, the files of the node. Run as root by Vagrant.
#
#     provision.sh NODE     with /tmp/flatnet/{packages,consul,seed-NODE.tar}
set -eu
node=$1
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# Patterns of packages that only some releases have are apt's own (apt-patterns(7)).
xargs -a /tmp/flatnet/packages apt-get -q -y --no-install-recommends install
install -m 755 /tmp/flatnet/consul /usr/local/bin/consul
hostnamectl set-hostname "$node"
tar -x -f "/tmp/flatnet/seed-$node.tar" -C /
systemctl daemon-reload
systemctl enable docker.service consul.service
# The first name server is the node's own Consul, from here on.
sysctl --system >/dev/null
systemctl restart ssh.service docker.service consul.service
rm -rf /tmp/flatnet
