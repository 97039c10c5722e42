// A FastCGI load generator: one thread, epoll, closed loop. Every connection
// has one request in flight and makes the next when that is answered.
//
//   load ADDRESS [-c connections] [-s seconds] [-P bytes posted]
//        [-b expected body bytes] [-n] [-H] [-i] [-q]
//   load ADDRESS -w [-p] COMMAND [argument ...]
//
// ADDRESS is the path of a Unix socket or a TCP port of 127.0.0.1.
//   -n  one connection a request (FCGI_KEEP_CONN not set)
//   -H  HTTP in place of FastCGI, to compare with: the GET of the same browser
//   -i  opens the connections, then one request on each, then idles: a line on
//       the standard input goes on to the next step, its end closes them
//   -q  prints the bytes of one request, and no more
//   -w  starts a command, prints the milliseconds until ADDRESS accepts, and
//       ends it; its standard input is /dev/null, with -p a terminal
//
// The result is one line of JSON. An answer counts as an error that breaks the
// protocol, says that it failed or has a body of another length.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };

static const char *address;
static int connections = 64;
static double seconds = 1;
static long post_length;
static long expected_body = -1;
static int keeps_connection = 1;
static int is_http = 0;

static uint8_t *request;
static size_t request_length;

static int poller;
static uint32_t *latencies;
static size_t answers, latency_room;
static uint64_t errors, connects, bytes_read;
static const char *first_error = "";

struct connection {
  int fd;
  size_t sent;
  uint64_t began;
  uint8_t header[8];
  int header_length;
  uint8_t end[8];
  int end_length;
  size_t content_left;
  size_t padding_left;
  int blank; // how much of "\r\n\r\n" has been seen; 4 in the body
  long body;
  int is_busy;
  int is_answered; // before all of the request was sent
  struct http_answer http;
};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

// The request

static void append(const void *bytes, size_t length) {
  request = realloc(request, request_length + length);
  memcpy(request + request_length, bytes, length);
  request_length += length;
}

static void append_record(int type, const void *content, size_t length) {
  static const uint8_t zeros[8];
  uint8_t padding = -length & 7; // as nginx pads
  uint8_t header[8] = {1, type, 0, 1, length >> 8, length & 255, padding, 0};
  append(header, sizeof header);
  append(content, length);
  append(zeros, padding);
}

static void make_request(void) {
  char length[32] = "";
  if (post_length > 0) snprintf(length, sizeof length, "%ld", post_length);
  const char *pairs[][2] = {
    {"QUERY_STRING", "page=2&sort=name"},
    {"REQUEST_METHOD", post_length > 0 ? "POST" : "GET"},
    {"CONTENT_TYPE", post_length > 0 ? "application/octet-stream" : ""},
    {"CONTENT_LENGTH", length},
    {"SCRIPT_FILENAME", "/var/www/html/articles/list"},
    {"SCRIPT_NAME", "/articles/list"},
    {"REQUEST_URI", "/articles/list?page=2&sort=name"},
    {"DOCUMENT_URI", "/articles/list"},
    {"DOCUMENT_ROOT", "/var/www/html"},
    {"SERVER_PROTOCOL", "HTTP/1.1"},
    {"REQUEST_SCHEME", "https"},
    {"HTTPS", "on"},
    {"GATEWAY_INTERFACE", "CGI/1.1"},
    {"SERVER_SOFTWARE", "nginx/1.22.1"},
    {"REMOTE_ADDR", "192.0.2.17"},
    {"REMOTE_PORT", "51234"},
    {"SERVER_ADDR", "198.51.100.4"},
    {"SERVER_PORT", "443"},
    {"SERVER_NAME", "www.example.org"},
    {"REDIRECT_STATUS", "200"},
    {"HTTP_HOST", "www.example.org"},
    {"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
    {"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    {"HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,sv;q=0.3"},
    {"HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"},
    {"HTTP_COOKIE", "session=5f2c9a71d0e84b6c; theme=dark"},
    {"HTTP_CONNECTION", "keep-alive"},
  };
  uint8_t begin[8] = {0, 1, keeps_connection};
  append_record(BEGIN_REQUEST, begin, sizeof begin);
  uint8_t params[4096];
  size_t at = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    // All are shorter than 128 bytes, whose length is one byte.
    size_t name = strlen(pairs[i][0]), value = strlen(pairs[i][1]);
    params[at++] = name;
    params[at++] = value;
    memcpy(params + at, pairs[i][0], name);
    memcpy(params + at + name, pairs[i][1], value);
    at += name + value;
  }
  append_record(PARAMS, params, at);
  append_record(PARAMS, "", 0);
  static uint8_t content[32 * 1024]; // the records nginx makes
  memset(content, 'x', sizeof content);
  for (long left = post_length; left > 0; left -= sizeof content) {
    append_record(STDIN, content, left < (long)sizeof content ? left : (long)sizeof content);
  }
  append_record(STDIN, "", 0);
}

// Connections

static int open_socket(void) {
  int is_tcp = strspn(address, "0123456789") == strlen(address);
  struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons(atoi(address))};
  tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  strncpy(local.sun_path, address, sizeof local.sun_path - 1);
  int fd = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int failed = is_tcp ? connect(fd, (struct sockaddr *)&tcp, sizeof tcp)
                      : connect(fd, (struct sockaddr *)&local, sizeof local);
  if (failed) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  int on = 1;
  if (is_tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void open_connection(struct connection *c) {
  memset(c, 0, sizeof *c);
  c->fd = open_socket();
  if (c->fd < 0) die("cannot connect to %s: %s", address, strerror(errno));
  connects++;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void fail(const char *what) {
  if (errors++ == 0) first_error = what;
}

/** Sends what the socket takes of the request; false where it is broken. */
static int send_request(struct connection *c) {
  while (c->sent < request_length) {
    ssize_t n = send(c->fd, request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    c->sent += n;
  }
  return 1;
}

static int begin_request(struct connection *c) {
  c->sent = 0;
  c->blank = 0;
  c->body = 0;
  c->end_length = 0;
  c->http.head_length = 0;
  c->is_busy = 1;
  c->began = now_ns();
  return send_request(c);
}

static void take_output(struct connection *c, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (c->blank < 4 && at < length) {
    uint8_t wanted = c->blank & 1 ? '\n' : '\r';
    c->blank = bytes[at] == wanted ? c->blank + 1 : bytes[at] == '\r';
    at++;
  }
  c->body += length - at;
}

/** Takes bytes of the answer: 1 once it is whole, 0 before, -1 for none. */
static int take(struct connection *c, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (at < length) {
    if (c->content_left > 0) {
      size_t n = length - at < c->content_left ? length - at : c->content_left;
      if (c->header[1] == STDOUT) take_output(c, bytes + at, n);
      if (c->header[1] == END_REQUEST) {
        memcpy(c->end + c->end_length, bytes + at, n);
        c->end_length += n;
      }
      c->content_left -= n;
      at += n;
    } else if (c->padding_left > 0) {
      size_t n = length - at < c->padding_left ? length - at : c->padding_left;
      c->padding_left -= n;
      at += n;
    } else {
      c->header[c->header_length++] = bytes[at++];
      if (c->header_length < 8) continue;
      const uint8_t *h = c->header;
      c->header_length = 0;
      c->content_left = h[4] << 8 | h[5];
      c->padding_left = h[6];
      if (h[0] != 1 || h[2] != 0 || h[3] != 1) return -1;
      if (h[1] != STDOUT && h[1] != STDERR && h[1] != END_REQUEST) return -1;
      if (h[1] == END_REQUEST && c->content_left != 8) return -1;
    }
    if (c->end_length == 8 && c->padding_left == 0) return at == length ? 1 : -1;
  }
  return 0;
}

static void record_answer(struct connection *c, uint64_t ended) {
  static const uint8_t success[8];
  if (!is_http && memcmp(c->end, success, 5) != 0) fail("FCGI_END_REQUEST tells of a failure");
  if (expected_body >= 0 && c->body != expected_body) fail("a body is of another length");
  if (answers == latency_room) {
    latency_room = latency_room ? latency_room * 2 : 1 << 16;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
  }
  uint64_t took = ended - c->began;
  latencies[answers++] = took < UINT32_MAX ? took : UINT32_MAX;
}

static void replace(struct connection *c) {
  close(c->fd);
  c->is_answered = 0;
  open_connection(c);
}

/** A request is answered, and all of it was sent. */
static void end_request(struct connection *c, int is_over) {
  c->is_busy = c->is_answered = 0;
  if (is_over) return;
  record_answer(c, now_ns());
  if (!keeps_connection) replace(c);
  begin_request(c);
}

/** Serves one event; `is_over` begins no further request. */
static void serve(struct connection *c, int is_over) {
  static uint8_t buffer[256 * 1024];
  if (c->is_busy && !send_request(c)) {
    fail("a connection was closed during a request");
    replace(c);
    if (!is_over) begin_request(c);
    return;
  }
  if (c->is_answered) {
    if (c->sent == request_length) end_request(c, is_over);
    return;
  }
  for (;;) {
    ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      if (c->is_busy) fail("a connection was closed before the answer");
      replace(c);
      if (!is_over) begin_request(c);
      return;
    }
    bytes_read += n;
    int state = !c->is_busy ? -1
                : is_http   ? take_http(&c->http, buffer, n, &c->body)
                            : take(c, buffer, n);
    if (state < 0) {
      fail(is_http ? "an answer is no 200 of HTTP with a length" : "an answer is no FastCGI of request 1");
      replace(c);
      if (!is_over) begin_request(c);
      return;
    }
    if (state > 0) {
      // What is left of a request has to be sent before there is a next one.
      if (c->sent < request_length) c->is_answered = 1;
      else end_request(c, is_over);
      // A closed loop: nothing can have come yet but on a new connection.
      return;
    }
    // Edge-triggered: a short read is the last.
    if ((size_t)n < sizeof buffer) return;
  }
}

static int count_busy(struct connection *all) {
  int busy = 0;
  for (int i = 0; i < connections; i++) busy += all[i].is_busy;
  return busy;
}

static void poll_until(struct connection *all, uint64_t end, int is_over) {
  struct epoll_event events[256];
  while (now_ns() < end && (!is_over || count_busy(all) > 0)) {
    if (errors > 1000) return;
    int n = epoll_wait(poller, events, 256, 20);
    for (int i = 0; i < n; i++) serve(events[i].data.ptr, is_over);
  }
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void report(double elapsed) {
  qsort(latencies, answers, sizeof *latencies, compare);
  double p50 = answers ? latencies[answers / 2] / 1e3 : 0;
  double p99 = answers ? latencies[answers * 99 / 100] / 1e3 : 0;
  double most = answers ? latencies[answers - 1] / 1e3 : 0;
  printf("{\"requests\":%zu,\"errors\":%lu,\"firstError\":\"%s\",\"connects\":%lu,"
         "\"seconds\":%.4f,\"rps\":%.1f,\"bytesPerSecond\":%.0f,"
         "\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}\n",
         answers, errors, first_error, connects, elapsed, answers / elapsed,
         bytes_read / elapsed, p50, p99, most);
}

// What is done

static void run_load(struct connection *all) {
  for (int i = 0; i < connections; i++) open_connection(&all[i]);
  uint64_t start = now_ns();
  for (int i = 0; i < connections; i++) begin_request(&all[i]);
  poll_until(all, start + seconds * 1e9, 0);
  double elapsed = (now_ns() - start) / 1e9;
  report(elapsed);
  // What is in flight may end, so that no server has to log a broken request.
  poll_until(all, now_ns() + 200000000u, 1);
}

static void await_line(const char *what) {
  printf("%s\n", what);
  fflush(stdout);
  char line[8];
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
}

static void run_idle(struct connection *all) {
  for (int i = 0; i < connections; i++) open_connection(&all[i]);
  await_line("open");
  for (int i = 0; i < connections; i++) {
    begin_request(&all[i]);
    poll_until(all, now_ns() + 5000000000u, 1);
    if (all[i].is_busy || errors > 0) die("request %d was not answered: %s", i, first_error);
  }
  await_line("answered");
}

static void run_start(char **command, int has_terminal) {
  uint64_t start = now_ns();
  pid_t child = fork();
  if (child == 0) {
    int input = open("/dev/null", O_RDWR);
    int output = input;
    if (has_terminal) {
      int master = posix_openpt(O_RDWR | O_NOCTTY);
      grantpt(master);
      unlockpt(master);
      input = open(ptsname(master), O_RDWR | O_NOCTTY);
    }
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    execvp(command[0], command);
    _exit(127);
  }
  int is_up = 0;
  while (!is_up && now_ns() - start < 10000000000u) {
    int fd = open_socket();
    is_up = fd >= 0;
    if (is_up) close(fd);
    else if (waitpid(child, NULL, WNOHANG) == child) die("%s ended before it listened", command[0]);
    else usleep(100);
  }
  double took = (now_ns() - start) / 1e6;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  if (!is_up) die("%s does not listen on %s", command[0], address);
  printf("{\"startMs\":%.3f}\n", took);
}

int main(int count, char **arguments) {
  int is_idle = 0, is_size = 0, is_start = 0, has_terminal = 0, option;
  if (count < 2) die("usage: load ADDRESS [options]; see the first comment of load.c");
  address = arguments[1];
  optind = 2;
  while ((option = getopt(count, arguments, "+c:s:P:b:nHiqwp")) >= 0) {
    if (option == 'c') connections = atoi(optarg);
    else if (option == 's') seconds = atof(optarg);
    else if (option == 'P') post_length = atol(optarg);
    else if (option == 'b') expected_body = atol(optarg);
    else if (option == 'n') keeps_connection = 0;
    else if (option == 'H') is_http = 1;
    else if (option == 'i') is_idle = 1;
    else if (option == 'q') is_size = 1;
    else if (option == 'w') is_start = 1;
    else if (option == 'p') has_terminal = 1;
    else return 2;
  }
  if (is_start) {
    if (optind == count) die("-w needs a command to start");
    run_start(arguments + optind, has_terminal);
    return 0;
  }
  if (is_http) append(HTTP_REQUEST, sizeof HTTP_REQUEST - 1);
  else make_request();
  if (is_size) {
    printf("%zu\n", request_length);
    return 0;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct connection *all = calloc(connections, sizeof *all);
  if (is_idle) run_idle(all);
  else run_load(all);
  return 0;
}
