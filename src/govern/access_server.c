/* What a server grants, how that differs from the file, and how it is brought about: see access.h.
 */
#include "govern/access_int.h"
#include "govern/govern_sql_int.h"

#include <assert.h>
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/banned.h"

#define STATEMENT_MAX ((size_t)64 << 10)

static const char *const kind_names[] = {"role",    "view",   "account", "grant", "member",
					 "default", "person", "key",	 "login", "definition"};

static_assert(ARRAY_LEN(kind_names) == ACCESS_KINDS, "a name for each kind");

/* --- what is there --------------------------------------------------------------------------- */

/* "Select,Create View" in as many items. */
static void add_rights(struct access_items *list, struct arena *arena, struct access_item item,
		       struct str rights)
{
	const char *at = rights.data;

	while (*at) {
		size_t len = strcspn(at, ",");
		char *right = arena_strndup(arena, at, len);

		for (char *c = right; *c && item.kind == ACCESS_GRANT; c++)
			*c = (char)toupper((unsigned char)*c);
		item.right = right;
		access_items_add(list, item);
		at += len + (at[len] == ',');
	}
}

static void add_found(const struct access *a, struct arena *arena, struct access_items *list,
		      const struct maria_rows *rows)
{
	struct access_item item = {.who = arena_str(arena, maria_rows_str(rows, 1)).data,
				   .right = "",
				   .object = arena_str(arena, maria_rows_str(rows, 3)).data};
	struct str kind = maria_rows_str(rows, 0), rights = maria_rows_str(rows, 2);

	while (!str_equal(kind, str_from(kind_names[item.kind]))) {
		item.kind++;
		bug_if(item.kind == ACCESS_KINDS);
	}
	if (item.kind != ACCESS_VIEW && access_is_system(a, item.who))
		return;
	if (item.kind == ACCESS_GRANT || item.kind == ACCESS_MEMBER) {
		add_rights(list, arena, item, rights);
	} else {
		item.right = arena_str(arena, rights).data;
		access_items_add(list, item);
	}
}

static int load_found(const struct access *a, struct maria *m, struct arena *arena,
		      struct access_items *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = access_definitions_load(m, arena, ret, err);

	if (r == 0)
		r = maria_query(m, govern_sql_access_found, MARIA_ARGS(MARIA_S(a->plan->warehouse)),
				&rows, err);
	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		add_found(a, arena, ret, rows);
	access_items_sort(ret);
	if (r == -ERR_PERMISSION)
		(void)err_hint(err, "the account that owns the schema needs SELECT on mysql.*");
	else if (r == -ERR_NOT_FOUND)
		(void)err_hint(err, "run `aethermart schema apply`");
	return r;
}

int access_record(struct maria *m, const char *sql, const char *kind, const char *name,
		  struct err *err)
{
	return maria_run(m, sql, MARIA_ARGS(MARIA_S(kind), MARIA_S(name)), NULL, err);
}

int access_load_records(struct maria *m, const char *sql, struct arena *arena, struct map *ret,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, sql, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str kind = maria_rows_str(rows, 0), name = maria_rows_str(rows, 1);

		*map_put(ret, str_from(arena_printf(arena, "%.*s %.*s", STR_ARGS(kind),
						    STR_ARGS(name)))) = ret;
	}
	return r;
}

static bool is_ours(const struct map *records, const char *kind, const char *who)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s %s", kind, who);

	return map_get(records, str_from(key)) != NULL;
}

/* --- statements ------------------------------------------------------------------------------ */

/* `role`, or 'name'@'host'. */
static void add_who(struct strbuf *b, const char *who)
{
	const char *at = strrchr(who, '@');

	if (!at) {
		maria_add_identifier(b, who);
		return;
	}
	maria_add_literal(b, (struct str){who, (size_t)(at - who)});
	strbuf_addch(b, '@');
	maria_add_literal(b, str_from(at + 1));
}

/* "TABLE Orders" and "PROCEDURE sp_X" are the shop's, a name with a dot is another database's. */
static void add_object(struct strbuf *b, const struct access *a, const char *object)
{
	const char *name = strchr(object, ' ');
	const char *dot = name ? strchr(name, '.') : NULL;
	_cleanup_(mem_freep) char *database = NULL;

	if (!name) {
		strbuf_addstr(b, "*.*");
		return;
	}
	if (str_starts(str_from(object), "DATABASE ")) {
		MARIA_ADD(b, "#.*", name + 1);
		return;
	}
	if (!str_starts(str_from(object), "TABLE "))
		strbuf_add(b, object, (size_t)(name + 1 - object));
	database =
	    dot ? mem_strndup(name + 1, (size_t)(dot - name - 1)) : mem_strdup(a->plan->shop);
	MARIA_ADD(b, "#.#", database, dot ? dot + 1 : name + 1);
}

/* "COLUMN Orders.total_amount": rights of columns are taken back from their table. */
static void add_column(struct strbuf *b, const struct access *a, const char *right,
		       const char *object)
{
	const char *name = object + strlen("COLUMN "), *column = strrchr(name, '.');
	_cleanup_(mem_freep) char *table = mem_printf("TABLE %.*s", (int)(column - name), name);

	strbuf_addstr(b, right);
	MARIA_ADD(b, " (#) ON ", column + 1);
	add_object(b, a, table);
}

static void add_right(struct strbuf *b, const struct access *a, const struct access_item *i)
{
	if (str_starts(str_from(i->object), "COLUMN ")) {
		add_column(b, a, i->right, i->object);
		return;
	}
	/* A number, of a right that has no name here: all of them, but GRANT OPTION. */
	strbuf_addf(b, "%s ON ",
		    str_starts(str_from(i->right), "RIGHTS ") ? "ALL PRIVILEGES" : i->right);
	add_object(b, a, i->object);
}

static void add_make(struct strbuf *b, const struct access *a, const struct access_item *i)
{
	switch (i->kind) {
	case ACCESS_ROLE:
		strbuf_addstr(b, "CREATE ROLE ");
		add_who(b, i->who);
		break;
	case ACCESS_VIEW:
		strbuf_addstr(b, i->sql);
		break;
	case ACCESS_ACCOUNT: /* the password comes when it runs */
		strbuf_addstr(b, "CREATE USER ");
		add_who(b, i->who);
		break;
	case ACCESS_GRANT:
		strbuf_addstr(b, "GRANT ");
		add_right(b, a, i);
		strbuf_addstr(b, " TO ");
		add_who(b, i->who);
		break;
	case ACCESS_MEMBER:
		MARIA_ADD(b, "GRANT # TO ", i->right);
		add_who(b, i->who);
		break;
	case ACCESS_DEFAULT:
		MARIA_ADD(b, "SET DEFAULT ROLE # FOR ", i->right);
		add_who(b, i->who);
		break;
	case ACCESS_PERSON:
	case ACCESS_KEY:
	case ACCESS_LOGIN:
	case ACCESS_DEFINITION:
	case ACCESS_KINDS:
		break;
	}
}

static void add_take(struct strbuf *b, const struct access *a, const struct access_item *i)
{
	_cleanup_(mem_freep) char *role = NULL;

	switch (i->kind) {
	case ACCESS_ROLE:
		strbuf_addstr(b, "DROP ROLE ");
		add_who(b, i->who);
		break;
	case ACCESS_VIEW:
		MARIA_ADD(b, "DROP VIEW #", i->who);
		break;
	case ACCESS_ACCOUNT:
		strbuf_addstr(b, "DROP USER ");
		add_who(b, i->who);
		break;
	case ACCESS_GRANT:
		strbuf_addstr(b, "REVOKE ");
		add_right(b, a, i);
		strbuf_addstr(b, " FROM ");
		add_who(b, i->who);
		break;
	case ACCESS_MEMBER:
		role = mem_strndup(i->right, strcspn(i->right, " "));
		MARIA_ADD(b, "REVOKE # FROM ", role);
		add_who(b, i->who);
		break;
	case ACCESS_DEFAULT:
		strbuf_addstr(b, "SET DEFAULT ROLE NONE FOR ");
		add_who(b, i->who);
		break;
	case ACCESS_LOGIN: /* the password comes when it runs */
		strbuf_addstr(b, "ALTER USER ");
		add_who(b, i->who);
		break;
	case ACCESS_PERSON:
	case ACCESS_KEY:
	case ACCESS_DEFINITION:
	case ACCESS_KINDS:
		break;
	}
}

/* --- the key --------------------------------------------------------------------------------- */

struct pads { /* the key, XORed as HMAC wants it (RFC 2104) */
	unsigned char inner[64], outer[64];
};

static void make_pads(const unsigned char *key, struct pads *ret)
{
	*ret = (struct pads){0};
	memcpy(ret->inner, key, ACCESS_KEY_SIZE);
	memcpy(ret->outer, key, ACCESS_KEY_SIZE);
	for (size_t i = 0; i < sizeof(ret->inner); i++) {
		ret->inner[i] ^= 0x36;
		ret->outer[i] ^= 0x5c;
	}
}

static int store_key(struct maria *m, const unsigned char *key, struct err *err)
{
	struct pads pads;
	const struct maria_value params[] = {
	    MARIA_B(((struct str){(const char *)pads.inner, sizeof(pads.inner)})),
	    MARIA_B(((struct str){(const char *)pads.outer, sizeof(pads.outer)}))};
	int r;

	make_pads(key, &pads);
	r = maria_run(m, govern_sql_access_key, params, ARRAY_LEN(params), NULL, err);
	sodium_memzero(&pads, sizeof(pads));
	return r;
}

static bool is_equal(struct str found, const unsigned char wanted[64])
{
	return found.len == 64 && sodium_memcmp(found.data, wanted, 64) == 0;
}

/* What differs about the key in the views' table, NULL: nothing. Compared here: what is sent to a
 * server stands in its logs. */
static int check_key(struct maria *m, const unsigned char *key, const char **ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct pads pads;
	int r = maria_query(m, govern_sql_access_key_read, NULL, 0, &rows, err);

	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r < 0)
		return r;
	*ret = r ? "is not that of its file" : "is not there";
	if (!r || !key)
		return 0;
	make_pads(key, &pads);
	if (is_equal(maria_rows_str(rows, 0), pads.inner) &&
	    is_equal(maria_rows_str(rows, 1), pads.outer))
		*ret = NULL;
	sodium_memzero(&pads, sizeof(pads));
	return 0;
}

/* --- differences ----------------------------------------------------------------------------- */

struct comparer {
	const struct access *a;
	const struct map *records;
	const struct access_items *found;
	struct access_diff *diff;
};

static bool is_in_file(const struct access *a, const char *who)
{
	return access_items_has(&a->plan->wanted, strchr(who, '@') ? ACCESS_ACCOUNT : ACCESS_ROLE,
				who);
}

/* The one whom an item is about is ours when the file names it, or it was made here. */
static bool is_about_ours(const struct comparer *c, const struct access_item *i)
{
	const char *kind = strchr(i->who, '@') ? "account" : "role";

	if (i->kind == ACCESS_VIEW)
		return is_ours(c->records, "view", i->who);
	if (i->kind == ACCESS_ROLE || i->kind == ACCESS_ACCOUNT || i->kind == ACCESS_LOGIN)
		return is_ours(c->records, kind, i->who);
	return is_in_file(c->a, i->who) || is_ours(c->records, kind, i->who);
}

static void add_difference(struct comparer *c, enum access_state state,
			   const struct access_item *item)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(STATEMENT_MAX);

	if (state == ACCESS_MISSING)
		add_make(&b, c->a, item);
	else if (state == ACCESS_BEYOND)
		add_take(&b, c->a, item);
	access_diff_add(c->diff, state, item,
			b.len ? arena_strdup(&c->diff->arena, strbuf_str(&b)) : NULL);
}

/* Who is there is nobody's concern until it has a right on the shop. */
static bool is_stranger(const struct comparer *c, const struct access_item *i)
{
	return i->kind == ACCESS_ROLE || i->kind == ACCESS_VIEW || i->kind == ACCESS_ACCOUNT ||
	       i->kind == ACCESS_DEFAULT || i->kind == ACCESS_LOGIN ||
	       (i->kind == ACCESS_MEMBER &&
		!access_items_has(&c->a->plan->wanted, ACCESS_ROLE, i->right));
}

/* Who locked an account had a reason, which apply does not know: it opens none. */
static void compare_login(struct comparer *c, const struct access_item *i)
{
	if (!access_items_has(&c->a->plan->wanted, ACCESS_ACCOUNT, i->who))
		return; /* the account goes */
	add_difference(c, cstr_equal(i->right, "is locked") ? ACCESS_CHANGED : ACCESS_BEYOND, i);
}

static void compare_found(struct comparer *c, const struct access_item *i)
{
	bool is_view = i->kind == ACCESS_VIEW;

	if (i->kind == ACCESS_DEFINITION) {
		add_difference(c, ACCESS_CHANGED, i);
	} else if (!is_about_ours(c, i)) {
		if (!is_stranger(c, i))
			add_difference(c, ACCESS_FOREIGN, i);
	} else if (i->kind == ACCESS_LOGIN) {
		compare_login(c, i);
	} else if (!is_view || !access_items_has(&c->a->plan->wanted, ACCESS_VIEW, i->who)) {
		/* A view of another definition is made anew, not dropped before. */
		add_difference(c, ACCESS_BEYOND, i);
	}
}

/* Somebody else's until it is taken over. */
static bool is_strangers(const struct comparer *c, const struct access_item *item)
{
	return item->kind <= ACCESS_ACCOUNT && access_items_has(c->found, item->kind, item->who) &&
	       !is_ours(c->records, kind_names[item->kind], item->who);
}

static void compare_wanted(struct comparer *c, const struct access_item *item, bool is_found)
{
	if (is_strangers(c, item))
		access_diff_add_stranger(c->diff, item);
	else if (!is_found)
		add_difference(c, ACCESS_MISSING, item);
}

/* What goes does so first, in the other order; of who goes, the rights go with it. */
static void compare(struct comparer *c)
{
	const struct access_items *wanted = &c->a->plan->wanted, *found = c->found;
	size_t w = 0;

	for (size_t f = found->n; f-- > 0;)
		if (!bsearch(&found->items[f], wanted->items, wanted->n, sizeof(*wanted->items),
			     (int (*)(const void *, const void *))access_item_compare))
			compare_found(c, &found->items[f]);
	for (size_t f = 0; w < wanted->n; w++) {
		const struct access_item *item = &wanted->items[w];

		while (f < found->n && access_item_compare(&found->items[f], item) < 0)
			f++;
		compare_wanted(c, item,
			       f < found->n && access_item_compare(&found->items[f], item) == 0);
	}
}

int access_compare(const struct access *a, struct maria *m, const unsigned char *key,
		   struct access_diff *ret, struct err *err)
{
	struct access_item key_item = {ACCESS_KEY, "the key of pseudonyms in Access_Keys", NULL, "",
				       NULL};
	_cleanup_(arena_done) struct arena arena = {0};
	struct access_items found = {0};
	struct map records = {0};
	struct comparer c = {.a = a, .records = &records, .found = &found, .diff = ret};
	int r;

	*ret = (struct access_diff){0};
	r = load_found(a, m, &arena, &found, err);
	if (r == 0)
		r = access_load_records(m, govern_sql_access_records, &arena, &records, err);
	if (r == 0)
		r = check_key(m, key, &key_item.right, err);
	if (r == 0 && key_item.right)
		add_difference(&c, ACCESS_MISSING, &key_item);
	if (r == 0)
		compare(&c);
	mem_free(found.items);
	map_done(&records);
	return r;
}

void access_diff_add(struct access_diff *d, enum access_state state, const struct access_item *item,
		     const char *sql)
{
	mem_grow(&d->items, &d->cap, d->n + 1, sizeof(*d->items));
	d->items[d->n++] =
	    (struct access_difference){.state = state,
				       .item = {item->kind, arena_strdup(&d->arena, item->who),
						arena_strdup(&d->arena, item->right),
						arena_strdup(&d->arena, item->object), item->sql},
				       .sql = sql};
	d->n_of[state]++;
}

void access_diff_add_stranger(struct access_diff *d, const struct access_item *item)
{
	access_diff_add(d, ACCESS_STRANGER, item, NULL);
	if (!d->stranger)
		d->stranger = arena_strdup(&d->arena, item->who);
}

int access_refuse_stranger(const struct access_diff *d, const char *where, struct err *err)
{
	(void)err_set(err, ERR_CONFLICT, "\"%s\" is %s, and was not made here", d->stranger, where);
	return err_hint(err, "choose another name in the file, or take it over with --adopt: "
			     "it then has the rights of the file and no others");
}

void access_diff_done(struct access_diff *diff)
{
	mem_free(diff->items);
	arena_done(&diff->arena);
	*diff = (struct access_diff){0};
}

/* --- apply ----------------------------------------------------------------------------------- */

/* An account is made, or gets a password where somebody took it away. */
static int give_password(struct maria *m, const struct access_difference *d,
			 const struct access_apply *how, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(STATEMENT_MAX);
	const char *password;
	int r = how->password(how->arg, d->item.who, &arena, &password, err);

	if (r < 0)
		return r;
	strbuf_addf(&b, "%s IDENTIFIED BY ", d->sql);
	maria_add_literal(&b, str_from(password));
	r = maria_exec(m, strbuf_str(&b), err);
	sodium_memzero(b.data, b.len);
	return r;
}

static int change_person(struct maria *m, const struct access_difference *d, struct err *err)
{
	return maria_run(m,
			 d->state == ACCESS_MISSING ? govern_sql_access_person
						    : govern_sql_access_person_gone,
			 MARIA_ARGS(MARIA_S(d->item.who), MARIA_S(d->item.right)), NULL, err);
}

static int run(struct maria *m, const struct access_difference *d, const struct access_apply *how,
	       struct err *err)
{
	if (d->item.kind == ACCESS_PERSON)
		return change_person(m, d, err);
	if (d->item.kind == ACCESS_KEY)
		return store_key(m, how->pseudonym_key, err);
	if (d->item.kind == ACCESS_LOGIN ||
	    (d->item.kind == ACCESS_ACCOUNT && d->state == ACCESS_MISSING))
		return give_password(m, d, how, err);
	return maria_exec(m, d->sql, err);
}

/* The record stands before what it tells of is made, and goes after it. */
static int bring_about(struct maria *m, const struct access_difference *d,
		       const struct access_apply *how, struct err *err)
{
	const char *kind = kind_names[d->item.kind];
	bool is_object = d->item.kind <= ACCESS_ACCOUNT;
	bool is_made = d->state == ACCESS_MISSING;
	int r = 0;

	if (is_object && is_made)
		r = access_record(m, govern_sql_access_record, kind, d->item.who, err);
	if (r == 0)
		r = run(m, d, how, err);
	if (r == 0 && is_made && d->item.kind == ACCESS_VIEW)
		r = maria_run(m, govern_sql_access_record_view,
			      MARIA_ARGS(MARIA_S(d->item.right), MARIA_S(d->item.who)), NULL, err);
	if (r == 0 && d->item.kind == ACCESS_LOGIN) /* its account's is recorded anew */
		r = access_record(m, govern_sql_access_record, kind_names[ACCESS_ACCOUNT],
				  d->item.who, err);
	if (r == 0 && is_object && !is_made)
		r = access_record(m, govern_sql_access_drop_record, kind, d->item.who, err);
	return r < 0 ? err_context(err, "%s \"%s\"", kind, d->item.who) : 0;
}

/* Those that were there before are ours from now on, and compared as such. */
static int adopt(const struct access *a, struct maria *m, const unsigned char *key,
		 struct access_diff *diff, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < diff->n && r == 0; i++) {
		const struct access_item *item = &diff->items[i].item;

		if (diff->items[i].state == ACCESS_STRANGER)
			r = access_record(m, govern_sql_access_adopt, kind_names[item->kind],
					  item->who, err);
	}
	if (r == 0) /* or what adopted ones log in by would be unknown now */
		r = maria_run(m, govern_sql_access_record_logins, NULL, 0, NULL, err);
	if (r < 0)
		return r;
	access_diff_done(diff);
	return access_compare(a, m, key, diff, err);
}

static bool is_left(enum access_state state)
{
	return state == ACCESS_FOREIGN || state == ACCESS_STRANGER || state == ACCESS_CHANGED;
}

static int accept_definitions(struct maria *m, const struct access_diff *diff, size_t *ret_changes,
			      struct err *err)
{
	int r = access_definitions_accept(m, err);

	for (size_t i = 0; i < diff->n && r == 0; i++)
		*ret_changes += diff->items[i].item.kind == ACCESS_DEFINITION;
	return r;
}

static int apply_locked(const struct access *a, struct maria *m, const struct access_apply *how,
			size_t *ret_changes, struct err *err)
{
	_cleanup_(access_diff_done) struct access_diff diff = {0};
	int r = access_compare(a, m, how->pseudonym_key, &diff, err);

	if (r == 0 && diff.stranger && !how->adopts)
		return access_refuse_stranger(&diff, "on the server", err);
	if (r == 0 && diff.stranger)
		r = adopt(a, m, how->pseudonym_key, &diff, err);
	for (size_t i = 0; i < diff.n && r == 0; i++) {
		if (is_left(diff.items[i].state))
			continue;
		r = bring_about(m, &diff.items[i], how, err);
		*ret_changes += r == 0;
	}
	if (r == 0)
		r = maria_run(m, govern_sql_access_record_logins, NULL, 0, NULL, err);
	return r < 0 || !how->accepts ? r : accept_definitions(m, &diff, ret_changes, err);
}

int access_lock(struct maria *m, struct err *err)
{
	int64_t holder = 0;
	int r = maria_query_int(m, govern_sql_access_lock, NULL, 0, &holder, err);

	if (r < 0 || !holder)
		return r;
	(void)err_set(err, ERR_CONFLICT, "somebody else applies rules of access just now");
	return err_hint(err, "connection %lld of MariaDB has the lock: see SHOW PROCESSLIST",
			(long long)holder);
}

/* A lost connection has given it back. */
int access_unlock(struct maria *m, int r, struct err *err)
{
	struct err local = {0};

	return err_first(
	    r, maria_is_lost(m) ? 0 : maria_run(m, govern_sql_access_unlock, NULL, 0, NULL, &local),
	    &local, err);
}

int access_apply(const struct access *a, struct maria *m, const struct access_apply *how,
		 size_t *ret_changes, struct err *err)
{
	int r = access_lock(m, err);

	*ret_changes = 0;
	return r < 0 ? r : access_unlock(m, apply_locked(a, m, how, ret_changes, err), err);
}

/* --- remove ---------------------------------------------------------------------------------- */

struct record {
	enum access_kind kind;
	const char *name;
};

static int list_records(struct maria *m, struct arena *arena, struct record **ret, size_t *ret_n,
			struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	size_t cap = 0;
	int r = maria_query(m, govern_sql_access_records, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0) {
		struct str kind = maria_rows_str(rows, 0);
		struct record record = {.name = arena_str(arena, maria_rows_str(rows, 1)).data};

		while (record.kind < ACCESS_ACCOUNT &&
		       !str_equal(kind, str_from(kind_names[record.kind])))
			record.kind++;
		mem_grow(ret, &cap, *ret_n + 1, sizeof(**ret));
		(*ret)[(*ret_n)++] = record;
	}
	return r;
}

static int drop_record(struct maria *m, const struct record *record, struct err *err)
{
	static const char *const words[] = {"ROLE", "VIEW", "USER"};
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(STATEMENT_MAX);
	int r;

	strbuf_addf(&b, "DROP %s IF EXISTS ", words[record->kind]);
	if (record->kind == ACCESS_VIEW)
		maria_add_identifier(&b, record->name);
	else
		add_who(&b, record->name);
	r = maria_exec(m, strbuf_str(&b), err);
	if (r == 0)
		r = access_record(m, govern_sql_access_drop_record, kind_names[record->kind],
				  record->name, err);
	return r < 0 ? err_context(err, "%s \"%s\"", kind_names[record->kind], record->name) : 0;
}

int access_remove(const struct access *a, struct maria *m, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(mem_freep) struct record *records = NULL;
	bool has_table = false;
	size_t n = 0;
	int r = maria_has_table(m, "Access_Objects", &has_table, err);

	if (r == 0 && has_table)
		r = list_records(m, &arena, &records, &n, err);
	for (size_t i = 0; i < n && r == 0; i++)
		if (records[i].kind == ACCESS_VIEW || !access_is_system(a, records[i].name))
			r = drop_record(m, &records[i], err);
	return r;
}
