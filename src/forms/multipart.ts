// Reading `multipart/form-data` (RFC 7578) as it comes in: the text of fields
// into memory, files to disk. npm's @fastify/busboy finds the parts; what they
// mean is decided here, for its own reading of them decodes names as UTF-8
// whatever they are, and passes over what it cannot read.
//
// A chunk is handed to the parser, and what came out of it is written before the
// next chunk is read: so that a slow disk holds the client up, and memory holds
// one chunk.

import { FastCgiError } from "../errors.ts";
import type { Limits } from "../options.ts";
import type { Input } from "../server/input.ts";
import { BoundarySearch } from "./boundary_search.ts";
import { UploadedFile, UploadedFiles } from "./form.ts";
import type { Form } from "./form.ts";
import {
  formTooLarge,
  malformed,
  tooManyParts,
  unsupported,
  uploadTooLarge,
} from "./form_errors.ts";
import { charsetField, textDecoderOf } from "./form_text.ts";
import type { RawField, TextRules } from "./form_text.ts";
import { Gathered } from "./gathered.ts";
import { decodeExtended, parseHeaderValue } from "./header_value.ts";
import type { TemporaryFile, TemporaryFiles } from "./temporary_files.ts";

/**
 * The parser's package. What stands literally in an `import()` is downloaded at
 * the start of every program, whether it reads forms or not.
 */
export const PARSER_PACKAGE = "npm:@fastify/busboy@^3";

/** Bytes of the header of a part, of which a name is the most. */
const MAX_PART_HEAD = 16 * 1024;
/** Larger than any chunk: the parser's own flow control is not needed. */
const PART_ROOM = 1024 * 1024;

/** A boundary (RFC 2046, section 5.1.1), of any characters of ASCII. */
const BOUNDARY = /^[ -~]{0,69}[!-~]$/;

/** The header of a part by name, a character per byte. */
type PartHead = Record<string, string[]>;

/** The content of a part: a stream of Node, read while it has something. */
interface PartStream {
  read(): Uint8Array | null;
  on(event: "header", listener: (head: PartHead) => void): void;
  on(event: "error", listener: () => void): void;
}

/** The parser: a stream of Node, which is written to. */
interface Parser {
  readonly writable: boolean;
  write(chunk: Uint8Array, done: (error?: Error | null) => void): void;
  end(): void;
  on(event: "part", listener: (part: PartStream) => void): void;
  on(event: "finish" | "error", listener: () => void): void;
}

type ParserClass = new (
  options: { boundary: string; partHwm: number },
) => Parser;

/** A part that has begun. */
interface Part {
  readonly stream: PartStream;
  head: PartHead | null;
  reading: PartReader | null;
}

/** What is made of one part. */
interface PartReader {
  /** Takes the next bytes; they are part of a chunk that is kept no longer. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** All has come. */
  end(): void | Promise<void>;
}

/** What is read, and how. */
export interface MultipartSource {
  readonly input: Input;
  /** The parameters of the Content-Type. */
  readonly params: ReadonlyMap<string, string>;
  readonly limits: Limits;
  readonly rules: TextRules;
  readonly files: TemporaryFiles;
}

/** A file, whose names are decoded when the form's charset is known. */
interface RawFile {
  readonly field: Uint8Array;
  readonly name: Uint8Array;
  /** The name of `filename*`, which has a charset of its own. */
  readonly extendedName: string | undefined;
  readonly type: string;
  readonly file: TemporaryFile;
}

/** Reads one form. */
class MultipartReader {
  readonly #source: MultipartSource;
  readonly #fields: RawField[] = [];
  readonly #files: RawFile[] = [];
  readonly #parts: Part[] = [];
  #partCount = 0;
  /** Bytes held in memory. */
  #held = 0;
  /** Bytes that came since a part began whose header is not complete. */
  #headLength = 0;

  constructor(source: MultipartSource) {
    this.#source = source;
  }

  async read(parser: Parser): Promise<Form> {
    const { input, limits: { maxUploadBytes } } = this.#source;
    const ended = new Promise<boolean>((resolve) => {
      parser.on("finish", () => resolve(true));
      parser.on("error", () => resolve(false));
    });
    parser.on("part", (stream) => this.#begin(stream));
    const { Buffer } = await import("node:buffer");
    const search = new BoundarySearch(Buffer);
    let received = 0;
    for (;;) {
      const chunk = await input.read();
      if (chunk === null) break;
      received += chunk.length;
      if (received > maxUploadBytes) {
        throw uploadTooLarge(maxUploadBytes, received);
      }
      // What comes behind the last boundary means nothing.
      if (!parser.writable) continue;
      await new Promise<void>((resolve, reject) =>
        parser.write(
          search.prepare(chunk),
          (error) => error ? reject(error) : resolve(),
        )
      );
      await this.#takeParts(false);
      this.#checkHead(chunk.length);
    }
    if (parser.writable) parser.end();
    await this.#takeParts(true);
    if (!await ended) throw malformed("it does not end with its boundary");
    return this.#form();
  }

  #begin(stream: PartStream): void {
    this.#headLength = 0;
    const part: Part = { stream, head: null, reading: null };
    stream.on("header", (head) => part.head = head);
    // What it would say is said of the form as a whole.
    stream.on("error", () => {});
    this.#parts.push(part);
  }

  /** A header that has no end is not read on to the end of the body. */
  #checkHead(length: number): void {
    if (this.#parts.length === 0 || this.#parts[0]!.head !== null) return;
    this.#headLength += length;
    if (this.#headLength > PART_ROOM) throw malformed(HEAD_TOO_LONG);
  }

  /** Takes what came of the parts; all but the last are whole. */
  async #takeParts(isEnd: boolean): Promise<void> {
    const parts = this.#parts;
    while (parts.length > 0) {
      const part = parts[0]!;
      const isWhole = isEnd || parts.length > 1;
      if (part.head === null) {
        if (!isWhole) return;
        throw malformed("the header of a part does not end");
      }
      part.reading ??= this.#open(part.head);
      for (;;) {
        const bytes = part.stream.read();
        if (bytes === null) break;
        await part.reading.write(bytes);
      }
      if (!isWhole) return;
      await part.reading.end();
      parts.shift();
    }
  }

  /** Decides what a part is, by its header. */
  #open(head: PartHead): PartReader {
    const { maxFormParts } = this.#source.limits;
    if (++this.#partCount > maxFormParts) throw tooManyParts(maxFormParts);
    let length = 0;
    for (const [name, values] of Object.entries(head)) {
      for (const value of values) length += name.length + value.length;
    }
    if (length > MAX_PART_HEAD) throw malformed(HEAD_TOO_LONG);
    const disposition = parseHeaderValue(
      head["content-disposition"]?.[0] ?? "",
    );
    const field = disposition?.params.get("name");
    if (disposition?.value !== "form-data" || field === undefined) {
      throw malformed(
        "a part has no Content-Disposition of form-data with a name",
      );
    }
    checkEncoding(head["content-transfer-encoding"]?.[0] ?? "");
    const type = (head["content-type"]?.[0] ?? "").trim();
    const filename = disposition.params.get("filename");
    const extended = disposition.params.get("filename*");
    const extendedName = extended === undefined
      ? undefined
      : decodeExtended(extended) ?? undefined;
    if (filename === undefined && extended === undefined) {
      return this.#field(bytesOfName(field), type);
    }
    if (filename === undefined && extendedName === undefined) {
      throw malformed(`a file has the name ${JSON.stringify(extended)}`);
    }
    return this.#file({
      field: bytesOfName(field),
      name: bytesOfName(filename ?? ""),
      extendedName,
      type: type === "" ? "application/octet-stream" : type,
    });
  }

  #field(name: Uint8Array, type: string): PartReader {
    this.#hold(name.length);
    const value = new Gathered();
    return {
      write: (bytes) => {
        this.#hold(bytes.length);
        value.add(bytes);
      },
      end: () => {
        const charset = parseHeaderValue(type)?.params.get("charset");
        this.#fields.push({ name, value: value.bytes, charset });
      },
    };
  }

  #file(raw: Omit<RawFile, "file">): PartReader {
    const { field, name, extendedName = "", type } = raw;
    this.#hold(field.length + name.length + extendedName.length + type.length);
    const { files } = this.#source;
    let file: TemporaryFile | null = null;
    return {
      write: async (bytes) => {
        file ??= await files.create();
        await file.write(bytes);
      },
      end: async () => {
        if (file === null) {
          // An input in which no file was chosen.
          if (name.length === 0 && extendedName === "") return;
          file = await files.create();
        }
        file.close();
        this.#files.push({ ...raw, file });
      },
    };
  }

  /** Counts what is held in memory until the form is read. */
  #hold(length: number): void {
    this.#held += length;
    const { maxFormBytes } = this.#source.limits;
    if (this.#held > maxFormBytes) throw formTooLarge(maxFormBytes, this.#held);
  }

  #form(): Form {
    const { params, rules } = this.#source;
    const labels = [charsetField(this.#fields), params.get("charset")];
    const decode = textDecoderOf(labels, rules);
    const fields = new URLSearchParams();
    for (const { name, value, charset } of this.#fields) {
      const decodeValue = charset === undefined
        ? decode
        : textDecoderOf([charset, ...labels], rules);
      fields.append(decode(name), decodeValue(value));
    }
    const files = this.#files.map((raw) =>
      [
        decode(raw.field),
        new UploadedFile(
          raw.extendedName ?? decode(raw.name),
          raw.type,
          raw.file,
        ),
      ] as const
    );
    return { fields, files: new UploadedFiles(files) };
  }
}

/**
 * Reads a multipart form.
 *
 * @param source What is read, and how.
 * @returns The form.
 * @throws {FastCgiError} Where it cannot be read: see `ServiceRequest.form`.
 */
export async function readMultipart(source: MultipartSource): Promise<Form> {
  const boundary = source.params.get("boundary") ?? "";
  if (!BOUNDARY.test(boundary)) {
    throw malformed("its Content-Type has no boundary of 1 to 70 characters");
  }
  const Parser = await loadParser();
  return await new MultipartReader(source).read(
    new Parser({ boundary, partHwm: PART_ROOM }),
  );
}

async function loadParser(): Promise<ParserClass> {
  try {
    const { Dicer } = await import(PARSER_PACKAGE);
    return Dicer;
  } catch (error) {
    throw new FastCgiError(
      "PACKAGE_MISSING",
      `Cannot read a multipart form: ${PARSER_PACKAGE} is neither in the cache nor to be downloaded. Have the program import "@smisk/smisk/forms", and run "deno cache" on it`,
      { cause: error },
    );
  }
}

const HEAD_TOO_LONG =
  `the header of a part is longer than ${MAX_PART_HEAD} bytes`;

/** What was once sent through mail, and no web browser sends (RFC 7578, 4.7). */
function checkEncoding(encoding: string): void {
  if (/^(?:|7bit|8bit|binary)$/i.test(encoding.trim())) return;
  throw unsupported(
    `a part has the Content-Transfer-Encoding ${
      JSON.stringify(encoding)
    }, and only 7bit, 8bit and binary are read`,
  );
}

/** A name's bytes, without what web browsers escape in them. */
function bytesOfName(name: string): Uint8Array {
  return Uint8Array.from(
    unescapeName(name),
    (character) => character.charCodeAt(0),
  );
}

/**
 * Undoes what web browsers escape in names: quotes and line ends, and nothing
 * else (HTML, "Multipart form data").
 */
function unescapeName(name: string): string {
  return name.replace(
    /%(?:22|0d|0a)/gi,
    (escape) => String.fromCharCode(parseInt(escape.slice(1), 16)),
  );
}
