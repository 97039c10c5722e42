// systemd: the unit of a service that listens itself; or that of a socket, and
// of the service which systemd starts with it as descriptor 0.

import { cannotPrint, hostAndPort } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints a unit of systemd.
 *
 * @param settings What it is for, and which unit.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function systemdConfig(settings: Settings): string {
  if (settings.unit !== "socket" && settings.command.length === 0) {
    throw cannotPrint(
      "systemd is to start the program: give the command behind --, such as -- /usr/bin/deno run --allow-net /srv/hello/hello.ts",
    );
  }
  switch (settings.unit) {
    case "socket":
      return socketUnit(settings);
    case "socket-service":
      return serviceUnit(settings, true);
    default:
      return serviceUnit(settings, false);
  }
}

function serviceUnit(settings: Settings, hasSocket: boolean): string {
  if (hasSocket && settings.spawn !== null) {
    throw cannotPrint(
      "--spawn counts addresses up, and descriptor 0 is none: leave it out, or print --unit service",
    );
  }
  const { backends, command, name, spawn, user, workers } = settings;
  const args = [
    ...hasSocket
      ? []
      : backends.map((backend) => `--bind=${addressOf(backend)}`),
    ...workers === null ? [] : [`--workers=${workers}`],
    ...spawn === null ? [] : [`--spawn=${spawn}`],
  ];
  const sockets = hasSocket
    ? []
    : backends.flatMap((backend) => "path" in backend ? [backend.path] : []);
  if (sockets.length > 0) args.push("--mode=0660");
  const runtime = sockets.map((path) => runtimeDirectory(path, settings));
  const own = [...new Set(runtime.filter((folder) => folder !== null))];
  const hasWorkers = workers !== null || spawn !== null ||
    command.some((word) => /^--(?:workers|spawn)(?:=|$)/.test(word));
  const [program, ...rest] = command;
  if (!program!.startsWith("/")) {
    throw cannotPrint(
      `systemd needs to know where "${program}" is: write it from /, such as /usr/bin/deno`,
    );
  }
  return `# /etc/systemd/system/${name}.service
[Unit]
Description=${specifiers(name)}, a FastCGI application
${
    hasSocket
      ? `Requires=${name}.socket
After=${name}.socket
`
      : "After=network.target\n"
  }
[Service]
Type=exec
ExecStart=${[program!, ...rest, ...args].map(commandWord).join(" ")}
${
    hasSocket
      ? `StandardInput=socket
StandardOutput=journal
StandardError=journal
`
      : ""
  }${
    hasWorkers
      ? "# New code, one worker after another, without a failed request.\nExecReload=/bin/kill -HUP $MAINPID\n"
      : ""
  }User=${user}
# A second try does not help against a wrong command line.
Restart=on-failure
RestartPreventExitStatus=2
# SIGTERM to the first process, which tells the others. Requests in flight
# have 30 seconds to finish (shutdownTimeoutMs).
KillMode=mixed
TimeoutStopSec=35
CacheDirectory=${name}
Environment=DENO_DIR=/var/cache/${name}
${own.map((folder) => `RuntimeDirectory=${folder}\n`).join("")}${
    sandbox(sockets)
  }
[Install]
${hasSocket ? `Also=${name}.socket` : "WantedBy=multi-user.target"}
`;
}

function socketUnit({ backends, name, user }: Settings): string {
  if (backends.length !== 1) {
    throw cannotPrint(
      `A program takes one socket as descriptor 0, and ${backends.length} addresses are given: print a unit for each, with another --name`,
    );
  }
  const [backend] = backends;
  return `# /etc/systemd/system/${name}.socket
[Unit]
Description=Socket of ${specifiers(name)}

[Socket]
ListenStream=${setting(addressOf(backend!))}
${
    "path" in backend!
      ? `# Whoever is of this group may connect.
SocketUser=${user}
SocketGroup=${user}
SocketMode=0660
RemoveOnStop=yes
`
      : "NoDelay=yes\n"
  }
[Install]
WantedBy=sockets.target
`;
}

function addressOf(backend: Backend): string {
  return "path" in backend
    ? backend.path
    : hostAndPort(backend.host, backend.port);
}

/** The directory that systemd is to make for a socket, null for none. */
function runtimeDirectory(
  path: string,
  { name, user }: Settings,
): string | null {
  const [, folder] = /^\/(?:var\/)?run\/(.+)\/[^/]+$/.exec(path) ?? [];
  if (folder !== undefined) {
    // One of a user's session is there, or will be, without systemd's help.
    if (/^user\//.test(folder)) return null;
    if (!/^[\w.@-]+(?:\/[\w.@-]+)*$/.test(folder) || /^\.|\/\./.test(folder)) {
      throw cannotPrint(
        `systemd cannot make the directory of ${path}: use letters, digits and ._@- in it, such as /run/${name}/${name}.sock`,
      );
    }
    return folder;
  }
  if (/^\/(?:var\/)?run\/[^/]+$/.test(path) && user !== "root") {
    throw cannotPrint(
      `${user} cannot make ${path}, for /run belongs to root: use /run/${name}/${name}.sock, whose directory systemd makes`,
    );
  }
  return null;
}

/** What a program for requests need not be able to do. */
function sandbox(sockets: readonly string[]): string {
  const isBelow = (folders: RegExp) =>
    sockets.some((path) => folders.test(path));
  return `# Less is left to whoever breaks in. MemoryDenyWriteExecute is none of it:
# the runtime compiles code.
NoNewPrivileges=yes
ProtectSystem=full
${
    // Where the web server looks for the socket, it must be.
    isBelow(/^\/(?:home|root|run\/user)\//) ? "" : "ProtectHome=read-only\n"}${
    isBelow(/^\/(?:var\/)?tmp\//) ? "" : "PrivateTmp=yes\n"
  }PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
`;
}

/** A percent sign that is no specifier. */
function specifiers(value: string): string {
  return value.replaceAll("%", "%%");
}

/** The value of a setting that takes the rest of the line as it is. */
function setting(value: string): string {
  if (/^\s|\s$|\\$/.test(value)) {
    throw cannotPrint(
      `systemd cannot have a blank at an end of ${
        JSON.stringify(value)
      }, or a backslash at the last`,
    );
  }
  return specifiers(value);
}

/** A word of a command line (systemd.service, "Command lines"). */
function commandWord(word: string): string {
  const text = specifiers(word).replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(text)
    ? text
    : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
