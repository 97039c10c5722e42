#!/usr/bin/env bash
# The first process of the system that enter.sh makes: control groups of its
# own, and then systemd.

set -eu
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export container=other
exec /lib/systemd/systemd --system --unit=all.target --log-target=null \
  --show-status=no
