// AllowedClients: which addresses may connect over TCP, as addresses and CIDR
// ranges (RFC 4632, RFC 4291). FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section
// 3.2) is such a list too.

import { StartError } from "../errors.ts";

interface Range {
  /** 128 bits; an IPv4 address as its mapped IPv6 form. */
  readonly bits: bigint;
  /** How many leading bits count. */
  readonly length: number;
}

/** A list of addresses and ranges. */
export class AllowedClients {
  readonly #ranges: readonly Range[];

  /**
   * Reads a list.
   *
   * @param list Addresses and ranges, such as `127.0.0.1` or `fd00::/8`.
   * @throws {TypeError} Where one is neither.
   */
  constructor(list: readonly string[]) {
    this.#ranges = list.map(readRange);
  }

  /**
   * Whether an address is on the list.
   *
   * @param address The address, IPv4 or IPv6.
   * @returns Whether it may connect.
   */
  allows(address: string): boolean {
    const bits = readAddress(address);
    if (bits === null) return false;
    return this.#ranges.some((range) =>
      (bits ^ range.bits) >> BigInt(128 - range.length) === 0n
    );
  }
}

/**
 * The list that the environment gives, FCGI_WEB_SERVER_ADDRS, where it may be
 * read without asking.
 *
 * @returns The list, or null where there is none.
 * @throws {StartError} `BAD_ADDRESS` where it is malformed.
 */
export function webServerAddrs(): AllowedClients | null {
  const variable = "FCGI_WEB_SERVER_ADDRS";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const list = state === "granted" ? Deno.env.get(variable) : undefined;
  if (list === undefined) return null;
  try {
    return new AllowedClients(list.split(","));
  } catch (error) {
    throw new StartError(
      "BAD_ADDRESS",
      `Cannot read ${variable}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function readRange(text: string): Range {
  const [address, prefix, ...rest] = text.trim().split("/");
  const bits = readAddress(address!);
  const isV4 = !address!.includes(":");
  const most = isV4 ? 32 : 128;
  const length = prefix === undefined ? most : Number(prefix);
  if (
    bits === null || rest.length > 0 ||
    (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) || length > most
  ) {
    throw new TypeError(
      `Cannot allow clients at "${text}": it is neither an IPv4 or IPv6 address nor a CIDR range`,
    );
  }
  return { bits, length: isV4 ? length + 96 : length };
}

const MAPPED = 0xffffn << 32n;

function readAddress(text: string): bigint | null {
  if (!text.includes(":")) {
    const v4 = readV4(text);
    return v4 === null ? null : MAPPED | v4;
  }
  let groups = text.replace(/%.*$/, "");
  const dotted = /(?<=:)\d+\.\d+\.\d+\.\d+$/.exec(groups);
  if (dotted !== null) {
    const v4 = readV4(dotted[0]);
    if (v4 === null) return null;
    groups = groups.slice(0, dotted.index) + (v4 >> 16n).toString(16) + ":" +
      (v4 & 0xffffn).toString(16);
  }
  const halves = groups.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head!, ...Array(missing).fill("0"), ...(tail ?? [])];
  let bits = 0n;
  for (const group of all) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    bits = bits << 16n | BigInt(`0x${group}`);
  }
  return bits;
}

function readV4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let bits = 0n;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return null;
    bits = bits << 8n | BigInt(part);
  }
  return bits;
}
