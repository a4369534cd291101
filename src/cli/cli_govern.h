/* What the verbs of governance share: the file of access, bound to the shop's schema. */
#pragma once

#include "cli/cli.h"
#include "govern/access.h"
#include "govern/access_mongo.h"
#include "govern/rbac_audit.h"
#include "store/schema.h"

struct cli_govern {
	struct arena arena;
	struct maria *db; /* of the schema's owner */
	struct schema *schema;
	struct mapping_set mappings;
	struct access *access;
};

/* Where the file is: access.rules, or that of the installation. Lives as long as the arena. */
const char *cli_access_rules(const struct command_line *line, struct arena *arena);
int cli_govern_open(const struct command_line *line, struct cli_govern *ret, struct err *err)
    _must_check_;
/* 32 bytes made of the text of secrets/NAME in the run-time folder, which is made when missing. */
int cli_govern_key(const struct command_line *line, const char *name, unsigned char ret[32],
		   struct err *err) _must_check_;
/* MariaDB with the file, and its key of pseudonyms with secrets/pseudonym, which is not made. */
int cli_access_compare(const struct command_line *line, const struct cli_govern *g,
		       struct access_diff *ret, struct err *err) _must_check_;

/* Options of verbs that see or change what is somebody's. */
#define CLI_OPTION_PURPOSE                                                   \
	{                                                                    \
		.name = "purpose", .type = COMMAND_TEXT, .argument = "TEXT", \
		.help = "for what, for the audit",                           \
	}
#define CLI_OPTION_AS                                                                         \
	{                                                                                     \
		.name = "as", .type = COMMAND_TEXT, .argument = "ROLE", .help = "whose eyes", \
	}

/* --- the outside witness (cli_witness.c) ----------------------------------------------------- */

/* Where the files of server_audit are: audit.dir, or those of the embedded server; NULL: nowhere.
 */
const char *cli_witness_dir(const struct command_line *line, struct arena *arena);

/* Follows with the roles of the rules, which are read again when they change. Zeroed at first. */
struct cli_witness {
	struct access *access;
	int64_t rules_changed_ns;
	bool (*goes_on)(void *arg); /* of struct rbac_follow */
	void *arg;
};
int cli_witness_follow(struct cli_witness *w, const struct command_line *line, struct maria *db,
		       uint64_t *ret_rows, struct err *err) _must_check_;
void cli_witness_done(struct cli_witness *w);

/* Writes into the audit what this verb did, by whom, in the shop's database. */
struct audit_event;
int cli_govern_audit(struct maria *db, const struct audit_event *event, struct err *err)
    _must_check_;
void cli_govern_done(struct cli_govern *g); /* also after an error of cli_govern_open() */

/* False: the servers are ours, and no MongoDB was ever started. */
int cli_has_mongo(const struct command_line *line, bool *ret, struct err *err) _must_check_;

/* The rules in MongoDB. */
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

/* Parts of `privacy` (cli_erase.c). */
extern const struct command command_privacy_certificate;
extern const struct command command_privacy_erase;
extern const struct command command_privacy_erasures;
extern const struct command command_privacy_hold;
extern const struct command command_privacy_release;
