/*
 * What remote providers share: settings, requests with retries, the reading of failures.
 *
 *	embed_gemini.c, embed_openai.c   a dialect each: URL, body, answer
 *	embed_remote.c                   settings, batches, the second form of a request
 *	embed_http.c                     libcurl: parallel requests, time-outs, retries
 *	embed_failure.c                  what an answer that is no success means; pure
 *
 * A `struct embed_remote` is immutable after opening, but for `is_plain` and the time until which
 * the provider is left alone (atomic), and the pool of connections (its own mutex).
 */
#pragma once

#include "base/mem.h"
#include "embed/embed_int.h"

#include <jansson.h>
#include <stdatomic.h>

/* --- failures (embed_failure.c) ------------------------------------------------------------- */

#define EMBED_CODE_MAX	  64
#define EMBED_MESSAGE_MAX 256

struct embed_failure {
	long status;		   /* of HTTP; 0: there was no answer */
	char code[EMBED_CODE_MAX]; /* "RESOURCE_EXHAUSTED", "insufficient_quota"; may be empty */
	char message[EMBED_MESSAGE_MAX]; /* the provider's, one line; may be empty */
	bool is_quota;			 /* used up: waiting seconds does not help */
	bool is_key;			 /* the key is refused, whatever the status says */
	int64_t wait_ms;		 /* the provider asks to wait so long; -1: it does not */
};

/* From an answer's body, whose shape differs from server to server: what is not found stays empty.
 * Any bytes are fine. */
void embed_failure_read(long status, struct str body, struct embed_failure *ret);

/* Whether the same request may succeed a little later. */
bool embed_failure_is_passing(const struct embed_failure *f);

/* Whether the provider's message repeats something of the text, which must not be told on. */
bool embed_failure_quotes(const struct embed_failure *f, struct str text);

/* The error of an answer; `who` is "gemini at https://…". */
int embed_failure_error(const struct embed_failure *f, const char *who, struct err *err);

/* How long to wait before try number `tries` + 1 (tries >= 1): exponential with jitter, and at
 * least what the provider asked for. `random` is any number. */
int64_t embed_retry_wait_ms(unsigned tries, int64_t asked_ms, uint32_t random);

/* --- requests (embed_http.c) ---------------------------------------------------------------- */

struct embed_http;

struct embed_http_options { /* texts are copied */
	const char *who;
	const char *key_header; /* "x-goog-api-key: KEY"; NULL: none */
	const char *tls_ca;	/* NULL: the system's */
	bool is_loopback;	/* no proxy */
	bool is_plain;		/* http:// */
	unsigned parallel, retries;
	int64_t timeout_ms;
};

struct embed_http *embed_http_new(const struct embed_http_options *options);
struct embed_http *embed_http_free(struct embed_http *h);
DEFINE_CLEANUP(struct embed_http *, embed_http_free)

/* The requests of one call: n of them, all to one URL. */
struct embed_http_work {
	const char *url;
	size_t n;
	size_t answer_max;  /* bytes of an answer */
	int64_t timeout_ms; /* instead of that of the options, when it is shorter; 0: that */
	void *arg;
	void (*write)(void *arg, size_t i, struct strbuf *body);
	int (*read)(void *arg, size_t i, struct str answer, struct err *err);
	bool (*is_quoted)(void *arg, size_t i, const struct embed_failure *f);
};

/* Until all are answered, or one failed for good. `ret_failure` is filled with the failure. */
int embed_http_run(struct embed_http *h, const struct embed_http_work *work,
		   struct embed_failure *ret_failure, struct err *err) _must_check_;

/* --- providers (embed_remote.c) ------------------------------------------------------------- */

struct embed_remote;

struct embed_model { /* what is known of a model; a name of NULL ends the table */
	const char *name;
	unsigned dimension; /* of itself */
};

struct embed_dialect {
	const char *name;     /* "gemini" */
	const char *endpoint; /* the vendor's own */
	const char *domain;   /* whose hosts may get the vendor's key: "googleapis.com" */
	const char *key_option, *key_environment, *key_header;
	bool needs_key; /* also elsewhere than at the vendor's */
	unsigned batch, batch_max;
	const struct embed_model *models;
	int (*check_model)(const char *model, struct err *err);
	/* Turns the endpoint's path into that of a request; `is_plain` is the second form. */
	void (*add_url)(const struct embed_remote *r, bool is_plain, struct strbuf *url);
	void (*add_body)(const struct embed_remote *r, bool is_plain, enum embed_task task,
			 const struct str *texts, size_t n, struct strbuf *body);
	int (*read_answer)(const struct embed_remote *r, const json_t *answer, size_t n, float *ret,
			   struct err *err);
	/*
	 * An endpoint that does not know the first form of a request gets the second one, from then
	 * on when that succeeds: Gemini single texts instead of batches, the others a request
	 * without `dimensions`.
	 */
	bool (*is_form_refused)(const struct embed_remote *r, const struct embed_failure *f);
	bool
	    is_plain_single; /* the second form has one text a request; one text takes it at once */
};

struct embed_remote {
	struct embed_provider provider; /* first: the dispatcher's pointer is ours */
	const struct embed_dialect *dialect;
	struct arena arena;
	const char *base;  /* the endpoint without a slash at its end */
	bool has_path;	   /* of its own */
	const char *model; /* without the provider's name */
	unsigned dimension;
	bool asks_dimension; /* it differs from the model's own */
	unsigned batch;
	int64_t query_timeout_ms;
	size_t text_max;
	atomic_bool is_plain; /* the first form was refused, the second worked */
	struct embed_http *http;
};

int embed_remote_open(const struct config *config, const struct embed_dialect *dialect,
		      struct embed_provider **ret, struct err *err) _must_check_;

/* The parsed answer as vectors: bytes of any kind, checked by the dialect. */
int embed_remote_read(const struct embed_remote *r, struct str answer, size_t n, float *ret,
		      struct err *err) _must_check_;

/* An array of exactly `dimension` numbers that are finite as float. */
int embed_vector_read(const json_t *array, unsigned dimension, float *ret, struct err *err)
    _must_check_;

/* The text cut to at most `max` bytes, at the border of a character. */
struct str embed_text_cut(struct str text, size_t max);

/* What an endpoint is: checks scheme, host, path. Its texts belong to the arena. */
struct embed_endpoint {
	const char *base; /* without a slash at its end */
	const char *host;
	bool has_path;
	bool is_loopback;
	bool is_plain; /* http:// */
};
int embed_endpoint_parse(const char *url, struct arena *arena, struct embed_endpoint *ret,
			 struct err *err) _must_check_;
/* Whether the host is the domain or below it. */
bool embed_host_is_of(const char *host, const char *domain);

extern const struct embed_dialect embed_gemini_dialect, embed_openai_dialect;
