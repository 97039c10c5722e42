// Micro benchmarks of what every request goes through:
//
//   deno bench tests/bench/micro.ts
//
// Each group names its sizes. The first of a group, its baseline, is the slow
// and obvious form, where there is one.

import { HeaderBlock } from "../../src/cgi/header_block.ts";
import { OutputBuffer } from "../../src/protocol/encoder.ts";
import { ActiveRequest } from "../../src/protocol/active_request.ts";
import {
  decodePairs,
  decodeUtf8,
  encodePairs,
  findPair,
} from "../../src/protocol/pairs.ts";
import { scanParams } from "../../src/protocol/params_scan.ts";
import { RecordParser } from "../../src/protocol/parser.ts";
import { Output } from "../../src/server/output.ts";
import {
  begin,
  concatLarge,
  PARAMS,
  readPairs,
  record,
  records,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

/** What nginx sends of a browser's request, 27 pairs. */
const ENTRIES: readonly (readonly [string, string])[] = [
  ["QUERY_STRING", "page=2&sort=name"],
  ["REQUEST_METHOD", "GET"],
  ["CONTENT_TYPE", ""],
  ["CONTENT_LENGTH", ""],
  ["SCRIPT_FILENAME", "/var/www/html/articles/list"],
  ["SCRIPT_NAME", "/articles/list"],
  ["REQUEST_URI", "/articles/list?page=2&sort=name"],
  ["DOCUMENT_URI", "/articles/list"],
  ["DOCUMENT_ROOT", "/var/www/html"],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
  ["REQUEST_SCHEME", "https"],
  ["HTTPS", "on"],
  ["GATEWAY_INTERFACE", "CGI/1.1"],
  ["SERVER_SOFTWARE", "nginx/1.22.1"],
  ["REMOTE_ADDR", "192.0.2.17"],
  ["REMOTE_PORT", "51234"],
  ["SERVER_ADDR", "198.51.100.4"],
  ["SERVER_PORT", "443"],
  ["SERVER_NAME", "www.example.org"],
  ["REDIRECT_STATUS", "200"],
  ["HTTP_HOST", "www.example.org"],
  [
    "HTTP_USER_AGENT",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
  ],
  ["HTTP_ACCEPT", "text/html,application/xhtml+xml,*/*;q=0.8"],
  ["HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,sv;q=0.3"],
  ["HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"],
  ["HTTP_COOKIE", "session=5f2c9a71d0e84b6c; theme=dark"],
  ["HTTP_CONNECTION", "keep-alive"],
];

const params = encodePairs(ENTRIES);

// The parser

const request = concatLarge([
  begin(),
  stream(PARAMS, 1, params),
  stream(STDIN, 1, ""),
]);
const small = concatLarge(
  Array.from({ length: 256 }, () => record(STDIN, 1, new Uint8Array(64))),
);
const large = concatLarge(
  Array.from({ length: 2 }, () => record(STDIN, 1, new Uint8Array(32 * 1024))),
);

let bytesSeen = 0;
const parser = new RecordParser({
  record(_type, _id, _buffer, start, end) {
    bytesSeen += end - start;
  },
});

for (
  const [what, bytes] of [
    [`a request, 4 records, ${request.length} B`, request],
    [`256 records of 64 B, ${small.length} B`, small],
    [`2 records of 32 KiB, ${large.length} B`, large],
  ] as const
) {
  const group = `parser: ${what}`;
  Deno.bench({
    name: "objects",
    group,
    baseline: true,
    fn() {
      bytesSeen += records(bytes).records.length;
    },
  });
  Deno.bench({
    name: "RecordParser",
    group,
    fn() {
      parser.push(bytes, 0, bytes.length);
    },
  });
}

// Pairs

const scan = new ActiveRequest(1, 1, true);
const span = { start: 0, end: 0 };
const pairsGroup = `pairs: ${ENTRIES.length} of ${params.length} B`;

Deno.bench({
  name: "all, each decoded by itself",
  group: pairsGroup,
  baseline: true,
  fn() {
    readPairs(params);
  },
});
Deno.bench({
  name: "decodePairs()",
  group: pairsGroup,
  fn() {
    decodePairs(params, 0, params.length, decodeUtf8, () => {});
  },
});
Deno.bench({
  name: "scanParams()",
  group: pairsGroup,
  fn() {
    scanParams(params, 0, params.length, scan);
  },
});
for (const name of ["QUERY_STRING", "HTTP_CONNECTION", "REMOTE_USER"]) {
  Deno.bench({
    name: `findPair() ${name}`,
    group: pairsGroup,
    fn() {
      findPair(params, 0, params.length, name, span);
    },
  });
}
Deno.bench({
  name: "encodePairs()",
  group: pairsGroup,
  fn() {
    encodePairs(ENTRIES);
  },
});

// The encoder

const out = new OutputBuffer(256 * 1024);
const utf8 = new TextEncoder();

for (const length of [12, 100, 190, 1000, 10_000]) {
  const text = "x".repeat(length);
  const group = `encoder: text of ${length} characters`;
  Deno.bench({
    name: "encode and copy",
    group,
    baseline: true,
    fn() {
      out.clear();
      out.raw(utf8.encode(text));
    },
  });
  Deno.bench({
    name: "text()",
    group,
    fn() {
      out.clear();
      out.text(text);
    },
  });
}
for (const length of [1024, 64 * 1024, 200_000]) {
  const content = new Uint8Array(length);
  Deno.bench(`encoder: stream() of ${length} B`, () => {
    out.clear();
    out.stream(STDOUT, 1, content);
  });
}
Deno.bench({
  name: "endStream() and endRequest()",
  group: "encoder: the end of a response",
  baseline: true,
  fn() {
    out.clear();
    out.endStream(STDOUT, 1);
    out.endRequest(1, 0, 0);
  },
});
Deno.bench({
  name: "endResponse()",
  group: "encoder: the end of a response",
  fn() {
    out.clear();
    out.endResponse(1, 0, 0);
  },
});

// A response, from the header block to FCGI_END_REQUEST

const head = new HeaderBlock(200, "", [
  ["content-type", "text/html; charset=utf-8"],
]);

function respond(chunk: string | Uint8Array): void {
  const output = new Output(1);
  output.begin(head, false);
  output.push(chunk);
  output.isFinished = true;
  out.clear();
  output.encode(out, 256 * 1024, true);
}

for (const length of [12, 1000, 10_000, 100_000]) {
  const text = "x".repeat(length);
  const bytes = utf8.encode(text);
  const group = `output: a response of ${length} B`;
  Deno.bench({ name: "a string", group, fn: () => respond(text) });
  Deno.bench({ name: "bytes", group, fn: () => respond(bytes) });
}
