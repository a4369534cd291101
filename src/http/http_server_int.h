/* Insides of the server, shared by http_server.c, http_request.c, http_routes.c and their tests. */
#pragma once

#include "base/metrics.h"
#include "http/http_feed.h"
#include "http/http_server.h"
#include "http/http_tls.h"
#include "http/http_watch.h"
#include "http/http_work.h"

#include <microhttpd.h>
#include <pthread.h>

struct http_server;

/* One door. Immutable while its daemon runs. */
struct http_listener {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	int fd;	      /* until the daemon has it, then -1 */
	bool is_unix; /* no token */
};

/* Immutable once its doors are open, but for the feed, which has its own lock. */
struct http_server {
	struct http_server_options options; /* texts are own copies in the arena */
	struct arena *arena;
	struct http_listener tcp, local;
	struct http_feed *feed;
	struct http_pool *pool;
	struct http_door *door;
	struct http_watch *watch;
	struct http_guest visitor; /* a copy of the option */
	struct http_tls *tls;	   /* NULL: none */
	char *token;
	int lock_fd;
	_Atomic uint16_t port; /* 0 until TCP is open */

	/* Of a server that stands by: the thread that waits for the folder. */
	bool has_opener; /* set before the start returns */
	pthread_t opener;
	pthread_mutex_t mutex; /* guards is_stopping */
	pthread_cond_t stopping;
	bool is_stopping;
};

/* MHD's callbacks (http_request.c); cls is the struct http_listener. The first one makes the
 * request when its first line is there, the last one frees it. */
void *http_request_new(void *cls, const char *uri, struct MHD_Connection *c);
enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *c, const char *url,
				    const char *method, const char *version, const char *data,
				    size_t *size, void **request);
void http_request_done(void *cls, struct MHD_Connection *c, void **request,
		       enum MHD_RequestTerminationCode why);

void http_request_notify(void *cls, struct MHD_Connection *c, void **context,
			 enum MHD_ConnectionNotificationCode code);

/* Resumes a connection that is suspended. */
void http_request_wake(void *connection);

/* Reads the token of <dir>, or makes one (http_token.c). The caller owns the text. */
int http_token_load(const char *dir, char **ret, struct err *err) _must_check_;
/* What an Authorization header carries: false when it is no bearer's. */
bool http_token_read(const char *header, struct str *ret);
/* Takes the same time whatever is given. */
bool http_token_matches(const char *token, struct str given);
