#!/usr/bin/env bash
# Runs a systemd of its own: with its own processes, mounts, network and
# control groups, so that neither the machine nor another such test sees
# anything of it. Its units are in FOLDER/units; what they say in FOLDER/out is
# printed. All ends with this process.
#
#   enter.sh FOLDER DENO SOURCES

set -eu
readonly folder=$1 deno=$2 sources=$3
mount --make-rprivate /
mkdir "$folder/groups"
mount -t cgroup2 cgroup2 "$folder/groups"
own=$folder/groups/smisk-test-$$
mkdir "$own"
echo $$ >"$own/cgroup.procs"
umount "$folder/groups"

# What a user would have on the disk. /tmp is another to a confined service.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/cache
mount -t tmpfs tmpfs /srv
mkdir /srv/smisk
cp -r "$sources/src" "$sources/examples" "$sources/offline" "$sources/mod.ts" \
  "$sources/deno.json" /srv/smisk
chmod -R a+rX /srv
touch /srv/deno
mount --bind "$deno" /srv/deno

# Nothing but these units.
mount -t tmpfs tmpfs /etc/systemd/system
mount --bind "$folder/units" /lib/systemd/system

touch "$folder/out"
tail -n +1 -f --pid=$$ "$folder/out" &
exec unshare --pid --fork --kill-child --cgroup --uts --ipc --net --mount \
  --mount-proc bash "$(dirname "$0")/init.sh"
