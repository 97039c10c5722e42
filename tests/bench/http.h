// The HTTP of load.c: a GET as a browser makes it, the same as the FastCGI
// request is made of, and its answer.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char HTTP_REQUEST[] =
  "GET /articles/list?page=2&sort=name HTTP/1.1\r\n"
  "Host: www.example.org\r\n"
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
  "Accept-Language: en-GB,en;q=0.7,sv;q=0.3\r\n"
  "Accept-Encoding: gzip, deflate, br, zstd\r\n"
  "Cookie: session=5f2c9a71d0e84b6c; theme=dark\r\n"
  "Connection: keep-alive\r\n"
  "\r\n";

struct http_answer {
  char head[2048];
  int head_length; // -1 in the body
  long left;
};

/** Takes bytes of an answer: 1 once it is whole, 0 before, -1 for none. */
static int take_http(struct http_answer *a, const uint8_t *bytes, size_t length, long *body) {
  size_t at = 0;
  while (a->head_length >= 0 && at < length) {
    if (a->head_length == sizeof a->head - 1) return -1;
    a->head[a->head_length++] = bytes[at++];
    if (a->head_length < 4 || memcmp(a->head + a->head_length - 4, "\r\n\r\n", 4) != 0) continue;
    a->head[a->head_length] = 0;
    const char *told = strcasestr(a->head, "\r\ncontent-length:");
    if (strncmp(a->head, "HTTP/1.1 200 ", 13) != 0 || told == NULL) return -1;
    a->left = atol(told + sizeof "\r\ncontent-length:" - 1);
    a->head_length = -1;
  }
  *body += length - at;
  a->left -= length - at;
  if (a->left < 0) return -1;
  return a->head_length < 0 && a->left == 0;
}
