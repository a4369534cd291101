/* What the files of access_mongo.h share. */
#pragma once

#include "base/map.h"
#include "govern/access_int.h"
#include "govern/access_mongo.h"

/* Where accounts are: that of our own account. Lives as long as the arena. */
const char *access_mongo_users(const struct access_mongo_server *s, struct arena *arena);

/* The plan of roles, views and accounts, without a server. */
int access_mongo_plan_roles(const struct access *a, const struct mapping_set *set,
			    struct access_mongo *ret, struct err *err) _must_check_;

/* 32 hex digits of a view's definition {viewOn, pipeline}; in the arena. */
const char *access_mongo_view_hash(struct arena *arena, const bson_t *definition);

/* Calls for each document of an array in a command's reply: "users", "cursor.firstBatch". */
typedef int (*access_mongo_fn)(void *arg, const bson_t *doc, struct err *err);
int access_mongo_each(struct mongo *mongo, const char *database, bson_t *command, const char *array,
		      access_mongo_fn fn, void *arg, struct err *err) _must_check_;
/* Runs and destroys the command; an error of missing rights gets its hint. */
int access_mongo_run(struct mongo *mongo, const char *database, bson_t *command, struct err *err)
    _must_check_;
bson_t *access_mongo_list_users(void);
bson_t *access_mongo_list_collections(const char *type, const char *prefix);
/* The text of a field of a document, "" when it has none. Lives as long as the document. */
const char *access_mongo_text(const bson_t *doc, const char *field);

/* What the server has, sorted. Views: those that are wanted or recorded. `ret_touching`: roles of
 * other databases by which one comes at the documents. */
int access_mongo_load(const struct access_mongo *a, struct mongo *mongo, const struct map *records,
		      struct arena *arena, struct access_items *ret, struct map *ret_touching,
		      struct err *err) _must_check_;
/* How a role, a view or an account is recorded: "mongo_role". */
const char *access_mongo_record_kind(enum access_kind kind);
bool access_mongo_is_recorded(const struct map *records, enum access_kind kind, const char *name);
