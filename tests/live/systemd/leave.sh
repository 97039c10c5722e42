#!/usr/bin/env bash
# Takes away the control groups that enter.sh made as process PID, once those in
# it have ended.
#
#   leave.sh FOLDER PID

set -eu
readonly folder=$1 pid=$2
mount --make-rprivate /
mkdir -p "$folder/left"
mount -t cgroup2 cgroup2 "$folder/left"
for _ in $(seq 100); do
  find "$folder/left/smisk-test-$pid" -depth -type d -exec rmdir {} + \
    2>/dev/null || true
  [ -e "$folder/left/smisk-test-$pid" ] || exit 0
  sleep 0.1
done
exit 1
