// The units that `smisk config systemd` prints, in a systemd that runs them.

import { assert, assertEquals } from "@std/assert";
import { config } from "../../src/cli/config.ts";
import { DEADLINE_MS, within } from "../support/peer.ts";
import { isInstalled, Program } from "../support/program.ts";
import { Folder } from "./folder.ts";
import { IS_ROOT } from "./web_server.ts";

const SCRIPTS = new URL("systemd/", import.meta.url).pathname;
const SOURCES = new URL("../../", import.meta.url).pathname;

/** What a unit has to be to stand on its own, but for what it needs. */
const BARE = "[Unit]\nDefaultDependencies=no\n";

/** What the printed units name of the system's. */
const TARGETS = ["basic", "multi-user", "network", "shutdown", "sockets"];

/** Whether a system of one's own can be had: it takes the superuser. */
function canRun(): boolean {
  if (!IS_ROOT || !isInstalled("systemctl")) return false;
  const trial = `mount --make-rprivate / && mount -t tmpfs tmpfs /srv &&
    mount -t cgroup2 cgroup2 /srv && mkdir /srv/smisk-trial-$$ &&
    rmdir /srv/smisk-trial-$$ && id www-data &&
    unshare --pid --fork --cgroup --uts --ipc --net --mount-proc true`;
  try {
    return new Deno.Command("unshare", {
      args: ["--mount", "bash", "-c", trial],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync().success && Deno.statSync("/lib/systemd/systemd").isFile;
  } catch {
    return false;
  }
}

const HELLO = [
  "--",
  "/srv/deno",
  "run",
  "-A",
  "--no-check",
  "/srv/smisk/examples/hello.ts",
];

async function writeUnits(folder: string): Promise<void> {
  const activated = ["--name=activated", "--bind=/run/activated.sock"];
  const units: Record<string, string> = {
    "hello.service": config([
      "systemd",
      "--bind=/run/hello/deep/hello.sock",
      "--workers=2",
      ...HELLO,
    ]),
    "activated.socket": config(["systemd", ...activated, "--unit=socket"]),
    "activated.service": config([
      "systemd",
      ...activated,
      "--unit=socket-service",
      ...HELLO,
    ]),
    "wrong.service": config([
      "systemd",
      "--name=wrong",
      ...HELLO,
      "--bogus",
    ]),
    "drive.service": `${BARE}[Service]
Type=oneshot
ExecStart=/bin/bash ${SCRIPTS}drive.sh
StandardOutput=append:${folder}/out
StandardError=append:${folder}/out
`,
    "all.target": `${BARE}Wants=hello.service activated.socket drive.service\n`,
  };
  for (const name of TARGETS) units[`${name}.target`] = BARE;
  // What it waits for by default.
  units["sysinit.target"] = BARE;
  await Deno.mkdir(`${folder}/units`);
  for (const [name, text] of Object.entries(units)) {
    await Deno.writeTextFile(`${folder}/units/${name}`, text);
  }
}

const CAN_RUN = canRun();

Deno.test({
  name:
    `smisk config systemd prints units that serve, reload, stop and are activated${
      CAN_RUN ? "" : " (not run: it takes root, systemd and control groups)"
    }`,
  ignore: !CAN_RUN,
  async fn() {
    await using folder = new Folder();
    await writeUnits(folder.path);
    const system = new Program("unshare", {
      args: [
        "--mount",
        "bash",
        `${SCRIPTS}enter.sh`,
        folder.path,
        Deno.execPath(),
        SOURCES,
      ],
    });
    try {
      // Programs start several times before each of these is said.
      for (
        const said of ["served: ", "reloaded: ", "wrong: ", "again: ", "done"]
      ) {
        await within(
          system.hopedLine(new RegExp(`^${said}`)),
          `"${said}" after:\n${system.said}`,
          3 * DEADLINE_MS,
        );
      }
    } finally {
      await system.stop("SIGKILL");
      const { success, stderr } = await new Deno.Command("unshare", {
        args: [
          "--mount",
          "bash",
          `${SCRIPTS}leave.sh`,
          folder.path,
          String(system.pid),
        ],
        stdin: "null",
      }).output();
      assert(success, new TextDecoder().decode(stderr));
    }
    const { said } = system;
    const told = Object.fromEntries(
      system.lines.filter((line) => line.includes(": "))
        .map((line) => line.split(/: (.*)/s) as [string, string]),
    );
    const isOver =
      "ActiveState=inactive ExecMainStatus=0 NRestarts=0 Result=success";
    const expected: Record<string, string> = {
      socket: "www-data www-data 660",
      served: "Hello World!",
      problems: "0",
      confined: "NoNewPrivs:1 Seccomp:2",
      reload: "0",
      main: "same",
      reloaded: "Hello World!",
      stopped: isOver,
      gone: "1",
      // No second try.
      wrong: "ActiveState=failed ExecMainStatus=2 NRestarts=0 Result=exit-code",
      waiting: "www-data www-data 660",
      before: "inactive",
      activated: "Hello World!",
      after: "active",
      ended: isOver,
      again: "Hello World!",
      removed: "1",
    };
    for (const [name, value] of Object.entries(expected)) {
      assertEquals([name, told[name]], [name, value], said);
    }
    assertEquals(said.includes("gave up"), false, said);
  },
});
