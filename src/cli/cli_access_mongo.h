/* The rules of access in MongoDB. */
#pragma once

#include "cli/cli_govern.h"
#include "govern/access_mongo.h"

/* False: the servers are ours, and no MongoDB was ever started. */
int cli_has_mongo(const struct command_line *line, bool *ret, struct err *err) _must_check_;

struct cli_access_mongo {
	struct arena arena;
	bool is_there; /* false: no MongoDB was ever started here */
	struct mongo_options options;
	struct mongo *mongo;
	struct access_mongo_server server;
	struct access_mongo plan;
};
/* Tries the server and plans; zero it before. */
int cli_access_mongo_open(const struct command_line *line, struct cli_govern *g,
			  struct cli_access_mongo *ret, struct err *err) _must_check_;
void cli_access_mongo_done(struct cli_access_mongo *m);
int cli_access_mongo_compare(const struct cli_access_mongo *m, struct access_diff *ret,
			     struct err *err) _must_check_;
size_t cli_access_mongo_count(const struct cli_access_mongo *m, enum access_kind kind);
/* In one line, whether it keeps accounts to their rights, and what follows. */
const char *cli_access_mongo_note(struct cli_access_mongo *m);
