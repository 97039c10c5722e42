// RequestInput: the bytes that a request brings, FCGI_STDIN and FCGI_DATA, as
// far as their limits and their ends are concerned.

import { stopsAtResponse } from "../cgi/variables.ts";
import { LimitError, ProtocolError } from "../errors.ts";
import type { Limits } from "../options.ts";
import { Role } from "../protocol/constants.ts";
import { Phase } from "../protocol/multiplexer.ts";
import { Input } from "./input.ts";
import type { InputOwner } from "./input.ts";
import { RequestParams } from "./params.ts";

/** The connection, as the input of a request sees it. */
export interface RequestInputHost extends InputOwner {
  /** The limits in force. */
  readonly limits: Limits;
  /**
   * Whether the web server sends nothing more of a body once it is answered;
   * null until one of its requests was asked, for all are of the same.
   */
  stopsAtResponse: boolean | null;
}

/** A request with its input. */
export abstract class RequestInput extends RequestParams {
  readonly #host: RequestInputHost;
  #input: Input | null = null;
  #data: Input | null = null;
  /** Whether the rest of the input is no longer waited for. */
  isInputGivenUp = false;
  /** Bytes of input dropped after the answer. */
  drained = 0;

  /**
   * Creates the request at FCGI_BEGIN_REQUEST.
   *
   * @param host The connection.
   * @param id The request id.
   * @param role The role.
   * @param keepConnection Whether FCGI_KEEP_CONN was set.
   */
  constructor(
    host: RequestInputHost,
    id: number,
    role: number,
    keepConnection: boolean,
  ) {
    super(id, role, keepConnection);
    this.#host = host;
  }

  /** Why the request was given up, null where it was not. */
  protected abstract get inputFault(): unknown;

  /** Whether the application has answered: input is dropped. */
  protected abstract get isAnswered(): boolean;

  /** The bytes of FCGI_STDIN. */
  get input(): Input {
    return this.#input ??= this.#makeInput(
      this.phase === Phase.PARAMS || this.phase === Phase.STDIN,
      this.received > 0,
    );
  }

  /** The bytes of FCGI_DATA. */
  get data(): Input {
    return this.#data ??= this.#makeInput(
      this.role === Role.FILTER && this.phase !== Phase.COMPLETE,
      this.dataReceived > 0,
    );
  }

  #makeInput(isOpen: boolean, hasCome: boolean): Input {
    const input = new Input(this.#host);
    if (this.inputFault !== null) input.fail(this.inputFault);
    else if (this.isAnswered && (isOpen || hasCome)) input.discard();
    else if (!isOpen) input.end();
    return input;
  }

  /** The input that is awaited, null where none is. */
  get awaited(): Input | null {
    if (this.#input?.isAwaited) return this.#input;
    return this.#data?.isAwaited ? this.#data : null;
  }

  /** Bytes of input that have come and were not read. */
  get buffered(): number {
    return (this.#input?.buffered ?? 0) + (this.#data?.buffered ?? 0);
  }

  /**
   * Takes bytes of input.
   *
   * @param buffer What holds them.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  takeInput(buffer: Uint8Array, start: number, end: number): void {
    if (this.isAnswered) return;
    if (this.phase === Phase.DATA) {
      this.data.push(buffer, start, end);
      return;
    }
    const { maxBodyBytes } = this.#host.limits;
    if (this.received > maxBodyBytes) {
      this.failInput(bodyTooLarge(maxBodyBytes, this.received));
      return;
    }
    this.input.push(buffer, start, end);
  }

  /**
   * A stream of input has ended.
   *
   * @param ended Which: STDIN or DATA.
   */
  endInput(ended: Phase): void {
    if (this.isAnswered) return;
    const isData = ended === Phase.DATA;
    const came = isData ? this.dataReceived : this.received;
    const announced = isData ? this.dataLength : this.contentLength;
    if (came >= announced) {
      (isData ? this.#data : this.#input)?.end();
    } else {
      // Made here, it would be taken for one that has ended well.
      const input = isData
        ? this.#data ??= new Input(this.#host)
        : this.#input ??= new Input(this.#host);
      input.fail(
        new ProtocolError(
          "BODY_TRUNCATED",
          `The input of request ${this.id} ended after ${came} of ${announced} bytes`,
          this.id,
          came,
        ),
      );
    }
  }

  /**
   * Makes reading the body fail; what has come can still be read.
   *
   * @param error What it fails with.
   */
  failInput(error: unknown): void {
    this.input.fail(error);
    if (this.role === Role.FILTER) this.data.fail(error);
  }

  /**
   * Gives up on a body that is not read and holds others up: what has come is
   * dropped, and reading fails.
   *
   * @param error What it fails with.
   */
  stall(error: unknown): void {
    this.failInput(error);
    this.discardInput();
  }

  /** Whether FCGI_END_REQUEST need not wait for input. */
  get isInputComplete(): boolean {
    return this.phase === Phase.COMPLETE || this.isInputGivenUp;
  }

  /** Nothing more is wanted: what comes is dropped. */
  protected discardInput(): void {
    this.#input?.discard();
    this.#data?.discard();
    if (
      this.isInputComplete || !this.hasParams || this.refusal !== null
    ) return;
    this.isInputGivenUp = this.#host.stopsAtResponse ??= stopsAtResponse(
      (name) => this.latin1Param(name),
    );
  }

  /** Nothing more will come: reading fails. */
  protected breakInput(reason: unknown): void {
    this.#input?.fail(reason);
    this.#data?.fail(reason);
  }
}

/**
 * The error of a body past its limit.
 *
 * @param limit The limit in bytes.
 * @param actual The bytes announced or received.
 * @returns The error.
 */
export function bodyTooLarge(limit: number, actual: number): LimitError {
  return new LimitError(
    "BODY_TOO_LARGE",
    `The body is larger than maxBodyBytes allows: ${actual} bytes, where ${limit} are allowed`,
    limit,
    actual,
    { status: 413 },
  );
}
