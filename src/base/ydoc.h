/*
 * YAML files read into a tree in which every node knows its line and column, so that every mistake
 * can be named as file:line:column. Scalars are text: types come from our tables, never from YAML's
 * guesses. Anchors and aliases, tags, several documents, duplicate keys, NUL, text that is not
 * UTF-8 and nesting above YDOC_DEPTH_MAX are refused; a file is at most YDOC_FILE_MAX bytes and
 * YDOC_NODES_MAX values.
 *
 * The document owns all nodes and texts; they live until ydoc_free(). Immutable, so any number of
 * threads may read.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define YDOC_FILE_MAX  ((size_t)4 << 20)
#define YDOC_DEPTH_MAX 32
#define YDOC_NODES_MAX 262144 /* 25 MB of nodes */

enum ynode_kind { YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode {
	enum ynode_kind kind;
	const char *file;    /* as given to the loader */
	size_t line, column; /* from 1 */
	const char *key;     /* under which a map holds this node; NULL in lists and at the root */
	size_t key_line, key_column;
	const char *text; /* scalar: NUL-terminated UTF-8 without NUL bytes inside; else "" */
	bool quoted;	  /* scalar: was written in quotes (then `null` and "" are texts) */
	size_t len;	  /* list and map: number of children */
	struct ynode *children;
};

struct ydoc;

int ydoc_load(const char *path, struct ydoc **ret, struct err *err) _must_check_;
/* `file` names the text in messages. */
int ydoc_parse(const char *file, const char *text, size_t len, struct ydoc **ret, struct err *err)
    _must_check_;
const struct ynode *ydoc_root(const struct ydoc *doc); /* an empty file is an empty map */
struct ydoc *ydoc_free(struct ydoc *doc);
DEFINE_CLEANUP(struct ydoc *, ydoc_free)

/* The child of a map with that key, or NULL. */
const struct ynode *ynode_get(const struct ynode *map, const char *key);

/* Unquoted empty, "~" or "null". */
bool ynode_is_null(const struct ynode *n);

/* Sets "file:line:column: message", of the key in the second; returns -ERR_INVALID_ARGUMENT. */
int ynode_error(const struct ynode *n, struct err *err, const char *fmt, ...) _printf_(3, 4);
int ynode_key_error(const struct ynode *n, struct err *err, const char *fmt, ...) _printf_(3, 4);

/*
 * Refuses keys of a map that are not in `allowed` (NULL-terminated), with the nearest allowed name.
 * Also refuses nodes that are no map. `what` names the thing in the message ("a field").
 */
int ynode_check_keys(const struct ynode *map, const char *what, const char *const *allowed,
		     struct err *err) _must_check_;

/*
 * A text as it may stand in a message: in quotes, control characters as '?', cut with "..." at the
 * buffer's size. The other says what a node is: its text, "a list", "a map", "nothing". Both return
 * the buffer or a constant.
 */
#define TEXT_SHOWN_SIZE 72
const char *text_shown(const char *text, char buf[TEXT_SHOWN_SIZE]);
const char *ynode_shown(const struct ynode *n, char buf[TEXT_SHOWN_SIZE]);

/* Typed access to a scalar child or node; a wrong type is an error that points at the node. */
int ynode_text(const struct ynode *n, const char **ret, struct err *err) _must_check_;
int ynode_int(const struct ynode *n, int64_t min, int64_t max, int64_t *ret, struct err *err)
    _must_check_;
int ynode_bool(const struct ynode *n, bool *ret, struct err *err) _must_check_;
