/* The application of the tests on libfcgi: tells what it is asked. One thread a
 * connection, as the library wants it.
 *
 *   libfcgi_app THREADS PATH
 */

#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int listener;

static void answer(FCGX_Request *request) {
  const char *path = FCGX_GetParam("PATH_INFO", request->envp);
  if (path == NULL) path = "";
  /* The library keeps it from one request to the next. */
  FCGX_SetExitStatus(0, request->out);
  if (strcmp(path, "/nothing") == 0) {
    FCGX_SetExitStatus(7, request->out);
    return;
  }
  if (strcmp(path, "/log") == 0) FCGX_PutS("a line\nanother\n", request->err);
  if (strcmp(path, "/status") == 0) {
    FCGX_PutS("Status: 404 Not There\r\nContent-Type: text/plain\r\n\r\ngone", request->out);
    FCGX_SetExitStatus(255, request->out);
    return;
  }
  FCGX_PutS("Content-Type: application/octet-stream\r\n\r\n", request->out);
  if (strcmp(path, "/env") == 0) {
    for (char **pair = request->envp; *pair != NULL; pair++) {
      FCGX_FPrintF(request->out, "%s\n", *pair);
    }
    return;
  }
  char buffer[8192];
  int length;
  while ((length = FCGX_GetStr(buffer, sizeof buffer, request->in)) > 0) {
    FCGX_PutStr(buffer, length, request->out);
  }
}

static void *serve(void *unused) {
  (void)unused;
  FCGX_Request request;
  if (FCGX_InitRequest(&request, listener, 0) != 0) return NULL;
  while (FCGX_Accept_r(&request) == 0) {
    answer(&request);
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
