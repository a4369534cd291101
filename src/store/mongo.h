/*
 * Access to MongoDB by libmongoc: a pool of clients, one client a thread, and errors sorted into
 * classes: ERR_UNAVAILABLE (network, not primary, shutting down), ERR_TIMEOUT, ERR_RETRY (write
 * conflict, transient transaction error), ERR_DOCUMENT (the error names a document: validator,
 * size, type, key), ERR_PERMISSION, ERR_NOT_FOUND, ERR_INVALID_ARGUMENT (the rest). err->native is
 * the server's code. Messages hold no values of documents.
 */
#pragma once

#include "base/mem.h"
#include "base/strbuf.h"

#include <mongoc/mongoc.h>

struct mongo;

struct mongo_options {
	const char *uri;  /* mongodb:// or mongodb+srv://; credentials in it are refused... */
	const char *user; /* ...they come from here, NULL: none */
	const char *password;
	const char *database; /* default database */
	const char *tls_ca;
	/* 0: 32. 1: no pool but one client for one thread: it has no monitoring thread, which takes
	 * half a second to end, and asks the server at once when it is away. */
	unsigned pool_max;
	unsigned timeout_ms; /* server selection and sockets; 0: 10000 */
};

/*
 * The URI with account, default database and TLS in it, as another client needs it: it holds the
 * password. ERR_INVALID_ARGUMENT as mongo_open().
 */
int mongo_uri_text(const struct mongo_options *options, struct strbuf *ret, struct err *err)
    _must_check_;

int mongo_open(const struct mongo_options *options, struct mongo **ret, struct err *err)
    _must_check_;
struct mongo *mongo_close(struct mongo *m); /* all clients must have been given back */
DEFINE_CLEANUP(struct mongo *, mongo_close)

/* A client for this thread; blocks while all are out. Give it back with mongo_push(). */
mongoc_client_t *mongo_pop(struct mongo *m);
void mongo_push(struct mongo *m, mongoc_client_t *client);
const char *mongo_database(const struct mongo *m);

/* Fills err from a driver error and the server's reply (may be NULL); returns -class. */
int mongo_error(struct err *err, const bson_error_t *error, const bson_t *reply, const char *what);

/* Index of the first write error in a bulk reply, or -1. */
int64_t mongo_write_error_index(const bson_t *reply);

/* Runs a command against the default database (or `database`); reply may be NULL. */
int mongo_command(struct mongo *m, const char *database, const bson_t *command, bson_t *reply,
		  struct err *err) _must_check_;

struct mongo_server {
	char version[32];
	bool is_replica_set;   /* or sharded: transactions are possible */
	bool has_transactions; /* tried for real */
};
/* What the server is and whether it has what the sync needs. */
int mongo_probe(struct mongo *m, struct mongo_server *ret, struct err *err) _must_check_;

/* A document that lives as long as the arena. */
bson_t *mongo_copy_document(const bson_t *doc, struct arena *arena)
    __attribute__((returns_nonnull));
