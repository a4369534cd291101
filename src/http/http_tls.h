/* The certificate and the key of the TCP door, read and checked at start. Immutable. */
#pragma once

#include "base/strbuf.h"

#include <microhttpd.h>

struct http_tls {
	char *cert, *key;		  /* PEM */
	struct MHD_OptionItem options[4]; /* for a daemon with MHD_USE_TLS; borrow from here */
};

/* ERR_NOT_FOUND, ERR_PERMISSION: a file cannot be read, or others may read the key.
 * ERR_INVALID_ARGUMENT: what is in them does not serve. */
int http_tls_load(const char *cert_path, const char *key_path, struct http_tls **ret,
		  struct err *err) _must_check_;
struct http_tls *http_tls_free(struct http_tls *t);
DEFINE_CLEANUP(struct http_tls *, http_tls_free)
