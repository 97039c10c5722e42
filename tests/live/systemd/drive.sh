#!/usr/bin/env bash
# What an operator does with the units, inside of the system that enter.sh
# makes. Each line it prints is looked at by the test.

export NO_COLOR=1 DENO_DIR=/run/drive HOME=/run
readonly ATTEMPTS=300

smisk() {
  /srv/deno run -A --no-check /srv/smisk/src/cli/cli.ts "$@" 2>&1
}

# until_true COMMAND: tries until it succeeds, so many times and no more.
until_true() {
  for _ in $(seq $ATTEMPTS); do
    "$@" && return 0
    sleep 0.1
  done
  echo "gave up: $*"
}

say() {
  printf '%s: %s\n' "$1" "$(tr '\n' ' ' | sed 's/ *$//')"
}

state() {
  systemctl show "$1" -p Result -p ExecMainStatus -p ActiveState -p NRestarts |
    sort
}

main_of() {
  systemctl show hello.service -p MainPID --value
}

workers() {
  grep -lE "^PPid:[[:space:]]+$(main_of)\$" /proc/[0-9]*/status 2>/dev/null |
    sort
}

is_served() {
  smisk get /run/hello/deep/hello.sock / >/dev/null
}

has_two() {
  [ "$(workers | wc -l)" = 2 ]
}

are_new() {
  has_two && [ -z "$(comm -12 <(workers) <(echo "$before"))" ]
}

has_failed() {
  systemctl --quiet is-failed "$1"
}

until_true is_served
until_true has_two
stat -c '%U %G %a' /run/hello/deep/hello.sock | say socket
smisk get /run/hello/deep/hello.sock / | say served
smisk check /run/hello/deep/hello.sock --user www-data | grep -c problem | say problems
grep -E '^(NoNewPrivs|Seccomp):' "/proc/$(main_of)/status" | tr -d '\t' | say confined

before=$(workers)
main=$(main_of)
systemctl reload hello.service
echo $? | say reload
until_true are_new
[ "$main" = "$(main_of)" ] && echo same | say main
smisk get /run/hello/deep/hello.sock / | say reloaded

systemctl stop hello.service
state hello.service | say stopped
ls /run/hello/deep 2>&1 | grep -c 'No such file' | say gone

systemctl start --no-block wrong.service
until_true has_failed wrong.service
state wrong.service | say wrong

stat -c '%U %G %a' /run/activated.sock | say waiting
systemctl is-active activated.service | say before
smisk get /run/activated.sock / | say activated
systemctl is-active activated.service | say after
systemctl stop activated.service 2>/dev/null
state activated.service | say ended
smisk get /run/activated.sock / | say again
systemctl stop activated.socket activated.service
ls /run/activated.sock 2>&1 | grep -c 'No such file' | say removed
echo done
