// The hello of the benchmarks in C on libfcgi: one thread a connection, as the
// library wants it. With fewer threads than connections, which web servers
// keep, the other connections wait.
//
//   libfcgi_hello THREADS PATH

#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int listener;

static void *serve(void *unused) {
  (void)unused;
  FCGX_Request request;
  if (FCGX_InitRequest(&request, listener, 0) != 0) return NULL;
  while (FCGX_Accept_r(&request) == 0) {
    FCGX_PutS("Content-Type: text/html; charset=utf-8\r\n\r\nHello World!", request.out);
    FCGX_Finish_r(&request);
  }
  return NULL;
}

int main(int count, char **arguments) {
  if (count != 3 || FCGX_Init() != 0) return 2;
  listener = FCGX_OpenSocket(arguments[2], 512);
  if (listener < 0) return 1;
  printf("listening on %s\n", arguments[2]);
  fflush(stdout);
  for (int i = atoi(arguments[1]); i > 1; i--) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, NULL) != 0) return 1;
  }
  serve(NULL);
  return 0;
}
