// Media types of files, by the ends of their names. A table of its own, rather
// than a package: what is imported here is looked up in a registry when a
// program starts, whether it sends files or not.

/** What is said of files that are not in the table. */
const UNKNOWN = "application/octet-stream";

/** Type, and the ends of names: what is put on the web (IANA's registry). */
const TABLE = `
application/epub+zip epub
application/geo+json geojson
application/gzip gz
application/json json map
application/ld+json jsonld
application/manifest+json webmanifest
application/msword doc
application/pdf pdf
application/postscript ai eps ps
application/rtf rtf
application/vnd.ms-excel xls
application/vnd.ms-fontobject eot
application/vnd.ms-powerpoint ppt
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.text odt
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/wasm wasm
application/x-7z-compressed 7z
application/x-bzip2 bz2
application/x-tar tar
application/x-xz xz
application/xhtml+xml xhtml
application/xml xml xsd xsl
application/yaml yaml yml
application/zip zip
application/zstd zst
audio/aac aac
audio/flac flac
audio/midi mid midi
audio/mp4 m4a
audio/mpeg mp3
audio/ogg oga ogg opus
audio/wav wav
audio/webm weba
font/otf otf
font/ttf ttf
font/woff woff
font/woff2 woff2
image/apng apng
image/avif avif
image/bmp bmp
image/gif gif
image/heic heic
image/jpeg jpeg jpg
image/jxl jxl
image/png png
image/svg+xml svg svgz
image/tiff tif tiff
image/vnd.microsoft.icon ico
image/webp webp
model/gltf+json gltf
model/gltf-binary glb
text/calendar ics
text/css css
text/csv csv
text/html htm html
text/javascript js mjs cjs
text/markdown markdown md
text/plain conf ini log text txt
text/tab-separated-values tsv
text/vcard vcf
text/vtt vtt
video/mp2t ts
video/mp4 m4v mp4
video/mpeg mpeg mpg
video/ogg ogv
video/quicktime mov
video/webm webm
video/x-matroska mkv
video/x-msvideo avi
`;

const TYPES: ReadonlyMap<string, string> = new Map(
  TABLE.trim().split("\n").flatMap((line) => {
    const [type, ...ends] = line.split(" ");
    // Text is UTF-8 today; a page without a charset is guessed at.
    const value = type!.startsWith("text/") ? `${type}; charset=utf-8` : type!;
    return ends.map((end) => [end, value] as const);
  }),
);

/**
 * The media type of a file.
 *
 * @param name Its name, with or without its folders.
 * @returns What `Content-Type` says.
 */
export function mediaTypeOf(name: string): string {
  const end = /\.([^./\\]+)$/.exec(name)?.[1];
  return end === undefined ? UNKNOWN : TYPES.get(end.toLowerCase()) ?? UNKNOWN;
}
