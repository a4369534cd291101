/* What the verbs of governance share: see cli_govern.h. */
#include "cli/cli_govern.h"

#include "base/file.h"
#include "cluster/folder.h"
#include "cluster/home.h"
#include "govern/audit.h"

#include <assert.h>
#include <sodium.h>

#include "base/banned.h"

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_SECRETKEYBYTES == 64,
	      "as cli_audit_keys() promises");

void cli_govern_done(struct cli_govern *g)
{
	access_free(g->access);
	cli_shop_close(&g->shop);
	arena_done(&g->arena);
}

const char *cli_access_rules(const struct command_line *line, struct arena *arena)
{
	const char *path = config_text(line->config, "access.rules");

	return path ? path : endpoint_share_path(line->config, arena, "rules/access.yaml");
}

int cli_govern_open(const struct command_line *line, struct cli_govern *g, struct err *err)
{
	struct access_databases databases = {.warehouse =
						 config_text(line->config, "warehouse.database")};
	int r = access_load(cli_access_rules(line, &g->arena), &g->access, err);

	if (r == 0)
		r = cli_shop_open(line, ENDPOINT_ADMIN, &g->shop, err);
	databases.shop = g->shop.schema;
	return r < 0 ? r : access_bind(g->access, &g->shop.mappings, &databases, g->shop.db, err);
}

static const char *key_path(const struct command_line *line, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%s/secrets/%s", endpoint_var_dir(line->config, arena), name);
}

int cli_govern_key(const struct command_line *line, const char *name, unsigned char ret[32],
		   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	const char *var_dir = endpoint_var_dir(line->config, &arena);
	const char *dir = arena_printf(&arena, "%s/secrets", var_dir);
	struct err unused = {0};
	const char *secret;
	int r;

	/* A new folder becomes ours, or `serve` would find somebody's things in it. */
	if (home_claim(var_dir, &unused) < 0)
		err_clear(&unused);
	r = dir_make(dir, 0700, err);
	if (r == 0)
		r = folder_secret(key_path(line, name, &arena), &arena, &secret, err);
	if (r == 0)
		crypto_generichash(ret, 32, (const unsigned char *)secret, strlen(secret), NULL, 0);
	return r;
}

int cli_access_compare(const struct command_line *line, const struct cli_govern *g,
		       struct access_diff *ret, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	unsigned char key[ACCESS_KEY_SIZE];
	bool has_key = file_exists(key_path(line, "pseudonym", &arena));
	int r = has_key ? cli_govern_key(line, "pseudonym", key, err) : 0;

	*ret = (struct access_diff){0};
	if (r == 0)
		r = access_compare(g->access, g->shop.db, has_key ? key : NULL, ret, err);
	sodium_memzero(key, sizeof(key));
	return r;
}

int cli_audit_keys(const struct command_line *line, unsigned char ret_public[32],
		   unsigned char ret_secret[64], struct err *err)
{
	unsigned char seed[crypto_sign_SEEDBYTES];
	int r = cli_govern_key(line, "audit", seed, err);

	if (r == 0)
		crypto_sign_seed_keypair(ret_public, ret_secret, seed);
	sodium_memzero(seed, sizeof(seed));
	return r;
}

int cli_govern_audit(const struct command_line *line, struct maria *db,
		     const struct audit_event *event, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct audit_event e = *event;
	int r;

	e.actor = audit_os_actor(&arena);
	r = audit_append(db, &e, err);
	if (r == 0)
		cli_audit_follow(line, db);
	return r;
}
