// Who may connect over TCP: addresses and CIDR ranges, IPv4 and IPv6.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Application } from "../../src/application.ts";
import { AllowedClients } from "../../src/server/allowed_clients.ts";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { Peer } from "../support/peer.ts";
import { request } from "../support/wire.ts";

const ROWS: [list: string[], allowed: string[], refused: string[]][] = [
  [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2", "::1", "126.0.0.1"]],
  [["10.0.0.0/8"], ["10.0.0.0", "10.255.255.255"], [
    "11.0.0.0",
    "9.255.255.255",
  ]],
  [["192.168.4.0/22"], ["192.168.4.0", "192.168.7.255"], [
    "192.168.3.255",
    "192.168.8.0",
  ]],
  [["192.168.5.77/22"], ["192.168.4.1"], ["192.168.8.1"]],
  [["0.0.0.0/0"], ["1.2.3.4", "255.255.255.255"], ["::1", "fd00::1"]],
  [["10.1.2.3/32"], ["10.1.2.3"], ["10.1.2.2"]],
  [["10.1.2.2/31"], ["10.1.2.3", "10.1.2.2"], ["10.1.2.4", "10.1.2.1"]],
  [["::1"], ["::1", "0:0:0:0:0:0:0:1", "0000::0001"], [
    "::2",
    "127.0.0.1",
    "::",
  ]],
  [["fd00::/8"], ["fd00::1", "fdff:ffff::"], ["fe00::1", "fc00::1"]],
  [["2001:db8::/33"], ["2001:db8:7fff::1"], ["2001:db8:8000::1"]],
  [["2001:DB8::A"], ["2001:db8::a"], ["2001:db8::b"]],
  [["::/0"], ["::1", "fd00::1", "1.2.3.4"], []],
  [["fe80::1"], ["fe80::1", "fe80::1%eth0"], ["fe80::2%eth0"]],
  // What a socket of both families calls an IPv4 client.
  [["127.0.0.1"], ["::ffff:127.0.0.1", "::ffff:7f00:1"], ["::ffff:127.0.0.2"]],
  [["::ffff:10.0.0.0/104"], ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1"]],
  [
    ["10.0.0.1", " 10.0.0.3 ", "fd00::/16"],
    ["10.0.0.1", "10.0.0.3", "fd00::1"],
    ["10.0.0.2"],
  ],
];

for (const [list, allowed, refused] of ROWS) {
  Deno.test(`AllowedClients of ${list.join(", ")} allows those and no others`, () => {
    const clients = new AllowedClients(list);
    for (const address of allowed) {
      assertEquals(clients.allows(address), true, address);
    }
    for (const address of refused) {
      assertEquals(clients.allows(address), false, address);
    }
  });
}

for (
  const address of [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    ":::",
    "1::2::3",
    "12345::",
    "/tmp/socket",
    "0x7f.0.0.1",
  ]
) {
  Deno.test(`AllowedClients.allows() refuses "${address}", which is no address`, () => {
    const clients = new AllowedClients(["0.0.0.0/0", "::/0"]);
    assertEquals(clients.allows(address), false);
  });
}

for (
  const entry of [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.4/33",
    "1.2.3.4/",
    "1.2.3.4/-1",
    "1.2.3.4/8/8",
    "1.2.3.4/x",
    "::1/129",
    "1::2::3",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "g::1",
    "1.2.3.4:80",
  ]
) {
  Deno.test(`AllowedClients() throws a TypeError that shows "${entry}"`, () => {
    assertThrows(() => new AllowedClients([entry]), TypeError, `"${entry}"`);
  });
}

Deno.test("Application() refuses allowedClients that are none", () => {
  assertThrows(
    () => new Application({ allowedClients: ["127.0.0.1", "nowhere"] }),
    TypeError,
    "nowhere",
  );
});

const ok: Service = (_, response) => void response.write("ok");

for (const allowedClients of [["127.0.0.1"], ["127.0.0.0/8", "::1"], []]) {
  Deno.test(`allowedClients [${allowedClients}] serves a client of 127.0.0.1`, async () => {
    await using host = new Running(ok, { allowedClients });
    using peer = await host.connect();
    assertEquals((await peer.ask(request())).text, "ok");
  });
}

Deno.test("allowedClients closes a connection from elsewhere unanswered, and logs its address once", async () => {
  await using host = new Running(ok, { allowedClients: ["10.0.0.0/8", "::1"] });
  for (let i = 0; i < 3; i++) {
    using peer = await host.connect();
    assertEquals(await peer.toEnd(), []);
  }
  assertEquals(host.logged.length, 1);
  assertStringIncludes(host.logged[0]!, "127.0.0.1");
});

Deno.test("allowedClients does not concern a Unix socket", async () => {
  await using host = new Running(ok, {
    unix: true,
    allowedClients: ["10.0.0.1"],
  });
  using peer = await host.connect();
  assertEquals((await peer.ask(request())).text, "ok");
});

Deno.test({
  name: "allowedClients tells IPv6 clients apart",
  ignore: !hasIpv6(),
  async fn() {
    for (
      const [allowed, isServed] of [["::1", true], ["::2", false], [
        "127.0.0.1",
        false,
      ]] as const
    ) {
      const app = new (class extends Application {
        override service() {
          this.response.write("ok");
        }
      })({ allowedClients: [allowed] });
      const log = console.error;
      console.error = () => {};
      try {
        const server = app.listen({ hostname: "::1", port: 0 });
        const { port } = server.addr as Deno.NetAddr;
        {
          using peer = await Peer.connect({ hostname: "::1", port });
          if (isServed) assertEquals((await peer.ask(request())).text, "ok");
          else assertEquals(await peer.toEnd(), []);
        }
        await server.shutdown();
      } finally {
        console.error = log;
      }
    }
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
