// Where a server listens that was not told where: on the socket inherited as
// descriptor 0, which is known only a moment later to be one that listens, or
// else on the address in the environment or the default one.

import { DEFAULT_ADDRESS, listen, parseAddress } from "../server/address.ts";
import {
  isInheritedSocket,
  isInheritedSocketAtOnce,
  listenInherited,
} from "../server/inherited.ts";
import type { ListenOptions } from "../server/listen_options.ts";
import type { Transport, TransportListener } from "../server/transport.ts";

/** The environment variable that tells where to listen. */
const BIND_VARIABLE = "SMISK_BIND";

/** A listening socket that may not be chosen yet. */
export interface DefaultListener extends TransportListener {
  /** Settles once it listens; null where it does already. */
  readonly ready: Promise<void> | null;
  /** Where it listens, as far as it was told. */
  readonly address: ListenOptions;
}

/**
 * Listens where nothing told where to.
 *
 * @returns The listening socket.
 * @throws {StartError} Where that cannot be.
 */
export function listenByDefault(): DefaultListener {
  return isInheritedSocketAtOnce() ?? isInheritedSocket()
    ? new InheritedOrDefault()
    : listenOnDefault();
}

function listenOnDefault(): DefaultListener {
  const address = addressOfEnvironment();
  const listener = listen(address);
  return {
    address,
    ready: null,
    addr: listener.addr,
    accept: () => listener.accept(),
    close: () => listener.close(),
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  };
}

function addressOfEnvironment(): ListenOptions {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: BIND_VARIABLE,
  });
  const text = state === "granted" ? Deno.env.get(BIND_VARIABLE) : undefined;
  return text ? parseAddress(text) : DEFAULT_ADDRESS;
}

/** Descriptor 0 where it listens: a connection may be there in its place. */
class InheritedOrDefault implements DefaultListener {
  #chosen: TransportListener;
  #isClosed = false;
  #isRef = true;
  address: ListenOptions = { fd: 0 };
  readonly ready: Promise<void>;

  constructor() {
    const inherited = listenInherited(0);
    this.#chosen = inherited;
    this.ready = inherited.ready.catch(() => this.#change());
    // Who accepts is told.
    this.ready.catch(() => {});
  }

  #change(): void {
    this.#chosen.close();
    if (this.#isClosed) return;
    const chosen = listenOnDefault();
    this.#chosen = chosen;
    this.address = chosen.address;
    if (!this.#isRef) chosen.unref();
  }

  get addr(): Deno.Addr | null {
    return this.#chosen.addr;
  }

  async accept(): Promise<Transport> {
    await this.ready;
    return await this.#chosen.accept();
  }

  close(): void {
    this.#isClosed = true;
    this.#chosen.close();
  }

  ref(): void {
    this.#isRef = true;
    this.#chosen.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#chosen.unref();
  }
}
