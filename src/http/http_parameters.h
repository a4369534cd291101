/*
 * What a request may say: parameters as the table of routes declares them, read from the request
 * line's own bytes into the fields of a plain struct. One function checks all of it, so that no
 * handler looks at text that came from outside: name, type, range, length, encoding, how often.
 *
 * The bytes are decoded here and not by the HTTP library, which is lenient where we are not: it
 * keeps a "%" that begins no escape, ends a path at an escaped NUL, and takes an escaped "/" in a
 * document's key for one that separates.
 *
 * Pure; values and texts belong to the caller's arena.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#define HTTP_PARAMETERS_MAX 16 /* of a route */
#define HTTP_MISTAKES_MAX   16 /* told in one answer */

enum http_type {
	HTTP_TYPE_TEXT,	   /* const char * */
	HTTP_TYPE_INTEGER, /* int64_t */
	HTTP_TYPE_NUMBER,  /* double */
	HTTP_TYPE_BOOLEAN, /* bool; true, false and what else parse_bool() takes */
	HTTP_TYPE_CHOICE,  /* const char *: the entry of `choices` */
};

/* A list of them ends with a name of NULL. */
struct http_parameter {
	const char *name;
	enum http_type type;
	bool in_path; /* the last segment of the path; else in the query */
	bool is_required;
	bool is_alternative;	    /* exactly one of a route's alternatives has to be given */
	size_t count_max;	    /* 0: once; else the field is a list (see struct http_texts) */
	int64_t min, max;	    /* of a number; of a text, in bytes */
	int64_t characters_max;	    /* of a text; 0: `max` alone counts */
	const char *const *choices; /* ends with NULL */
	const char *fallback;	    /* as it would be written; NULL: the field stays zero */
	size_t offset;		    /* of the field in the route's struct */
	const char *help;	    /* for the description of the API */
};

/* Fields of parameters that may be repeated. */
struct http_texts {
	size_t n;
	const char **items;
};
struct http_integers {
	size_t n;
	int64_t *items;
};

struct http_uri { /* as it was sent, in pieces; nothing is decoded */
	struct str path, query;
};
/* Borrows from `text`. */
struct http_uri http_uri_split(const char *text);

/*
 * Whether a path is that of a route: "/v1/status", or "/v1/products/{id}", whose variable segment,
 * which is not empty, is then put into `ret_segment`, not decoded.
 */
bool http_uri_matches(struct str path, const char *pattern, struct str *ret_segment);

struct http_mistake {
	const char *parameter, *detail; /* "limit", "must be a whole number from 0 to 100" */
};
struct http_mistakes {
	size_t n;
	bool has_more; /* than are told */
	struct http_mistake items[HTTP_MISTAKES_MAX];
};

/* A request's parameters as they came; `segment` is that of http_uri_matches(). */
struct http_input {
	struct str segment, query;
};

/*
 * Fills the fields of `values`, which is zeroed. ERR_INVALID_ARGUMENT names all that is wrong, as
 * does `mistakes`; `values` is then of no use.
 */
int http_parameters_read(const struct http_parameter *table, const struct http_input *input,
			 struct arena *arena, void *values, struct http_mistakes *mistakes,
			 struct err *err) _must_check_;
