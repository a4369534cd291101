/*
 * Verifying the audit: see audit.h. One pass over the events in their order, in pieces: each piece
 * is a snapshot, short, for a long one holds back the server's own cleaning. It reads the numbers
 * of erased events, for somebody may erase meanwhile, and goes on from the hash of the piece before
 * it. A checkpoint that is signed stands for all events up to it: a purge that was interrupted
 * leaves some of them, which are not looked at, and one that came meanwhile is where it goes on.
 */
#include "govern/audit_int.h"

#include "base/file.h"
#include "base/map.h"
#include "govern/govern_sql_int.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_MAX    256
#define PIECE	    5000 /* events; some tens of milliseconds */
#define WRONG_BYTES 1024

struct chain {
	const struct audit_witness *witness;
	struct arena arena;
	struct map erased;	  /* numbers as decimal text */
	struct audit_head before; /* the event before the next one */
	struct audit_head seen;	  /* what audit.head says; id 0: nothing */
	struct audit_state *state;
};

const char *audit_checkpoint_text(struct arena *arena, uint64_t id, const char *hash)
{
	return arena_printf(arena, "aethermart audit checkpoint %" PRIu64 " %s", id, hash);
}

/* --- before the events ----------------------------------------------------------------------- */

static int read_witness(struct chain *c, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FILE_MAX);
	struct str id, text;
	int r;

	if (!c->witness->path || !file_exists(c->witness->path))
		return 0;
	r = file_read(c->witness->path, &b, err);
	if (r < 0)
		return r;
	text = str_trim(strbuf_slice(&b));
	id = (struct str){text.data, strcspn(strbuf_str(&b), " ")};
	if (id.len >= text.len || text.len - id.len - 1 != AUDIT_HASH_SIZE - 1 ||
	    parse_uint64(id, UINT64_MAX, &c->seen.id, NULL) < 0)
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no record of the audit's end",
			       c->witness->path);
	memcpy(c->seen.hash, text.data + id.len + 1, AUDIT_HASH_SIZE - 1);
	return 0;
}

static int check_signature(struct chain *c, const struct audit_head *at, struct str hex,
			   struct err *err)
{
	const char *text = audit_checkpoint_text(&c->arena, at->id, at->hash);
	unsigned char signature[crypto_sign_BYTES];

	if (sodium_hex2bin(signature, sizeof(signature), hex.data, hex.len, NULL, NULL, NULL) ==
		0 &&
	    crypto_sign_verify_detached(signature, (const unsigned char *)text, strlen(text),
					c->witness->public_key) == 0)
		return 0;
	return err_set(err, ERR_CORRUPTED,
		       "the checkpoint at event %" PRIu64 " is not signed by the key of this "
		       "installation",
		       at->id);
}

/* Goes on from the newest one, unless we are behind it. */
static int read_checkpoint(struct chain *c, struct maria *m, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	struct audit_head at = {0};
	int r = maria_query_row(m, govern_sql_audit_checkpoint, NULL, 0, &rows, err);

	if (r <= 0)
		return r;
	at.id = maria_rows_uint(rows, 0);
	(void)snprintf(at.hash, sizeof(at.hash), "%.*s", STR_ARGS(maria_rows_str(rows, 1)));
	r = check_signature(c, &at, maria_rows_str(rows, 2), err);
	if (r == 0 && at.id > c->before.id)
		c->before = at;
	return r;
}

/* An event erases what was there: of itself, and of what comes after it, it excuses nothing. */
static int add_erased(struct chain *c, uint64_t id, struct str details)
{
	json_t *o = json_loadb(details.data, details.len, 0, NULL), *number;
	size_t i;

	json_array_foreach(json_object_get(o, "events"), i, number)
	{
		json_int_t erased = json_integer_value(number);

		if (erased <= 0 || (uint64_t)erased >= id)
			continue;
		*map_put(&c->erased,
			 str_from(arena_printf(&c->arena, "%" JSON_INTEGER_FORMAT, erased))) = c;
	}
	json_decref(o);
	return 0;
}

/* What these details say counts because the chain holds their hash, which is checked as all are. */
static int read_erasures(struct chain *c, struct maria *m, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_audit_erasures, NULL, 0, &rows, err);

	while (r >= 0 && (r = maria_rows_next(rows, err)) > 0)
		r = add_erased(c, maria_rows_uint(rows, 0), maria_rows_str(rows, 1));
	return r;
}

/* --- events ---------------------------------------------------------------------------------- */

static int wrong(struct err *err, uint64_t id, const char *what)
{
	return err_set(err, ERR_CORRUPTED, "event %" PRIu64 " of the audit %s", id, what);
}

static int check_details(struct chain *c, const struct maria_rows *rows, uint64_t id,
			 struct err *err)
{
	const struct str fields[] = {maria_rows_str(rows, 12), maria_rows_str(rows, 13),
				     maria_rows_str(rows, 14)};
	struct str expected = maria_rows_str(rows, 9);
	char hash[AUDIT_HASH_SIZE];

	if (!fields[0].data) {
		if (!expected.len)
			return 0;
		c->state->n_erased++;
		return map_get(&c->erased, maria_rows_str(rows, 0))
			   ? 0
			   : wrong(err, id, "has lost its details, and no event says so");
	}
	c->state->n_details++;
	audit_hash(fields, ARRAY_LEN(fields), hash);
	return str_equal(expected, str_from(hash)) ? 0 : wrong(err, id, "has other details");
}

static int check_event(struct chain *c, const struct maria_rows *rows, struct err *err)
{
	struct str fields[AUDIT_FIELDS + 1];
	uint64_t id = maria_rows_uint(rows, 0);
	char hash[AUDIT_HASH_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		fields[i] = maria_rows_str(rows, i);
	if (id != c->before.id + 1)
		return wrong(err, c->before.id + 1, "is missing");
	if (!str_equal(fields[AUDIT_FIELDS], str_from(c->before.hash)))
		return wrong(err, id, "does not follow the one before it");
	audit_hash(fields, ARRAY_LEN(fields), hash);
	if (!str_equal(maria_rows_str(rows, AUDIT_FIELDS + 1), str_from(hash)))
		return wrong(err, id, "was changed");
	if (id == c->seen.id && strcmp(hash, c->seen.hash) != 0)
		return wrong(err, id, "is another one than when it was last verified");
	c->before.id = id;
	memcpy(c->before.hash, hash, sizeof(hash));
	if (!c->state->n++)
		c->state->first = id;
	return check_details(c, rows, id, err);
}

static int check_end(struct chain *c, struct maria *m, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r;

	if (c->seen.id > c->before.id)
		return err_set(err, ERR_CORRUPTED,
			       "the audit ends with event %" PRIu64 ", and it had %" PRIu64
			       " when it was last verified",
			       c->before.id, c->seen.id);
	r = maria_query_row(m, "SELECT audit_id, event_hash FROM Audit_Head", NULL, 0, &rows, err);
	if (r < 0)
		return r;
	if (r == 0 || maria_rows_uint(rows, 0) != c->before.id ||
	    !str_equal(maria_rows_str(rows, 1), str_from(c->before.hash)))
		return err_set(err, ERR_CORRUPTED,
			       "the audit ends with event %" PRIu64 ", and its head says otherwise",
			       c->before.id);
	return 0;
}

/* `ret_more`: there are events behind this piece. */
static int check_piece(struct chain *c, struct maria *m, bool *ret_more, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	uint64_t n = 0;
	int r;

	map_done(&c->erased);
	arena_done(&c->arena);
	c->erased = (struct map){0};
	c->arena = (struct arena){0};
	r = read_checkpoint(c, m, err);
	if (r == 0)
		r = read_erasures(c, m, err);
	if (r == 0)
		r = maria_query(m, govern_sql_audit_events,
				MARIA_ARGS(MARIA_U(c->before.id), MARIA_U(PIECE)), &rows, err);
	while (r >= 0 && rows && (r = maria_rows_next(rows, err)) > 0) {
		r = check_event(c, rows, err);
		n++;
	}
	rows = maria_rows_close(rows);
	*ret_more = n == PIECE;
	return r == 0 && !*ret_more ? check_end(c, m, err) : r;
}

static int check_pieces(struct chain *c, struct maria *m, struct err *err)
{
	const struct audit_witness *w = c->witness;
	struct err local = {0};
	bool more = true;
	int r = 0;

	while (r == 0 && more) {
		r = maria_snapshot_begin(m, err);
		if (r < 0)
			return r;
		r = check_piece(c, m, &more, err);
		r = err_first(r, maria_is_lost(m) ? 0 : maria_snapshot_end(m, &local), &local, err);
		if (r == 0 && more && w->goes_on && !w->goes_on(w->arg))
			return err_set(err, ERR_INTERRUPTED, "verifying the audit was stopped");
	}
	return r;
}

static int write_witness(const struct audit_witness *witness, const struct audit_state *state,
			 struct err *err)
{
	char text[FILE_MAX];
	int len;

	if (!witness->path)
		return 0;
	len = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", state->last, state->head);
	return file_write_atomic(witness->path, text, (size_t)len, 0600, err);
}

/* What was found to be wrong stands beside audit.head until all is right: for who was not there. */
static void tell_wrong(const struct audit_witness *witness, int r, const struct err *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	char text[WRONG_BYTES];
	int len;

	if (!witness->path)
		return;
	path = mem_printf("%s" AUDIT_WRONG, witness->path);
	if (r == 0)
		(void)unlink(path);
	if (r != -ERR_CORRUPTED || !err)
		return;
	len = snprintf(text, sizeof(text), "%s\n", err->message);
	if (file_write_atomic(path, text, (size_t)len, 0600, NULL) < 0)
		return; /* whoever verifies tells it all the same */
}

int audit_verify(struct maria *m, const struct audit_witness *witness, struct audit_state *ret,
		 struct err *err)
{
	struct chain c = {.witness = witness, .state = ret};
	int r;

	*ret = (struct audit_state){0};
	(void)snprintf(c.before.hash, sizeof(c.before.hash), "%s", AUDIT_FIRST_HASH);
	r = read_witness(&c, err);
	if (r == 0)
		r = check_pieces(&c, m, err);
	ret->last = c.before.id;
	memcpy(ret->head, c.before.hash, sizeof(ret->head));
	map_done(&c.erased);
	arena_done(&c.arena);
	tell_wrong(witness, r, err);
	return r < 0 ? r : write_witness(witness, ret, err);
}
