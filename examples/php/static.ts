// A static file as a response: streamed, with its type, and not sent again
// where the browser has it.

/** Media types by the ends of names; what is not here is downloaded. */
const TYPES: Readonly<Record<string, string>> = {
  avif: "image/avif",
  css: "text/css; charset=utf-8",
  gif: "image/gif",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  mjs: "text/javascript; charset=utf-8",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webp: "image/webp",
  woff2: "font/woff2",
  xml: "application/xml",
};

/**
 * Answers with a file.
 *
 * @param request What is asked.
 * @param found The file, and whether a stranger may have written it.
 * @returns The response.
 */
export async function sendStatic(
  request: Request,
  found: { readonly file: string; readonly isUpload: boolean },
): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Method not allowed\n", {
      status: 405,
      headers: { allow: "GET, HEAD" },
    });
  }
  const file = await Deno.open(found.file);
  let isSent = false;
  try {
    const { size, mtime } = await file.stat();
    const modified = (mtime ?? new Date(0)).toUTCString();
    const extension = /\.([^./]+)$/.exec(found.file)?.[1]?.toLowerCase() ?? "";
    const headers = new Headers({
      "content-type": Object.hasOwn(TYPES, extension)
        ? TYPES[extension]!
        : "application/octet-stream",
      "last-modified": modified,
      "x-content-type-options": "nosniff",
    });
    // A page that a stranger wrote is not one of this site's.
    if (found.isUpload) headers.set("content-security-policy", "sandbox");
    if (request.headers.get("if-modified-since") === modified) {
      return new Response(null, { status: 304, headers });
    }
    headers.set("content-length", String(size));
    isSent = request.method === "GET";
    return new Response(isSent ? file.readable : null, { headers });
  } finally {
    // The body closes it otherwise, read to its end or cancelled.
    if (!isSent) file.close();
  }
}
