// Statuses and their reason phrases.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  checkStatus,
  isNullBodyStatus,
  reasonPhrase,
} from "../../src/cgi/status.ts";

Deno.test("reasonPhrase() gives the registered phrase, or that of its class", () => {
  for (
    const [status, phrase] of [
      [200, "OK"],
      [204, "No Content"],
      [206, "Partial Content"],
      [304, "Not Modified"],
      [403, "Forbidden"],
      [413, "Content Too Large"],
      [431, "Request Header Fields Too Large"],
      [503, "Service Unavailable"],
      [599, "Internal Server Error"],
      [499, "Bad Request"],
      [399, "Multiple Choices"],
      [299, "OK"],
    ] as const
  ) {
    assertEquals(reasonPhrase(status), phrase);
  }
});

Deno.test("reasonPhrase() is never empty, and ASCII", () => {
  for (let status = 200; status < 600; status++) {
    assert(/^[A-Z][ A-Za-z'-]+$/.test(reasonPhrase(status)), String(status));
  }
});

Deno.test("isNullBodyStatus() is true for 204, 205 and 304", () => {
  const found: number[] = [];
  for (let status = 200; status < 600; status++) {
    if (isNullBodyStatus(status)) found.push(status);
  }
  assertEquals(found, [204, 205, 304]);
});

Deno.test("checkStatus() takes 200 to 599, and nothing else", () => {
  for (const status of [200, 204, 418, 599]) checkStatus(status);
  for (
    const status of [
      100,
      101,
      103,
      199,
      600,
      999,
      0,
      -200,
      200.5,
      NaN,
      Infinity,
      "200",
      null,
      undefined,
    ]
  ) {
    assertThrows(
      () => checkStatus(status as number),
      RangeError,
      `current value is ${status}`,
    );
  }
});
