/*
 * Verifying the audit: see audit.h. One pass over the events in their order, in pieces: each piece
 * is a snapshot, short, for a long one holds back the server's own cleaning. It reads the numbers
 * of erased events, for somebody may erase meanwhile, and goes on from the hash of the piece before
 * it. Where audit.head says how far it was verified, audit_follow() begins there, so that the head
 * keeps up with the chain at the price of what is new. A checkpoint that is signed stands for all
 * events up to it: a purge that was interrupted leaves some of them, which are not looked at, and
 * one that came meanwhile is where it goes on.
 */
#include "govern/audit_int.h"

#include "base/file.h"
#include "base/map.h"
#include "govern/govern_sql_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <sys/file.h>
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

static int read_witness(const struct audit_witness *w, struct audit_head *ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FILE_MAX);
	struct str id, text;
	int r;

	*ret = (struct audit_head){0};
	if (!w->path || !file_exists(w->path))
		return 0;
	r = file_read(w->path, &b, err);
	if (r < 0)
		return r;
	text = str_trim(strbuf_slice(&b));
	id = (struct str){text.data, strcspn(strbuf_str(&b), " ")};
	if (id.len >= text.len || text.len - id.len - 1 != AUDIT_HASH_SIZE - 1 ||
	    parse_uint64(id, UINT64_MAX, &ret->id, NULL) < 0)
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no record of the audit's end",
			       w->path);
	memcpy(ret->hash, text.data + id.len + 1, AUDIT_HASH_SIZE - 1);
	return 0;
}

static bool is_same(const struct audit_head *a, const struct audit_head *b)
{
	return a->id == b->id && (a->id == 0 || strcmp(a->hash, b->hash) == 0);
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
	const struct maria_value before = MARIA_U(c->before.id);
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_audit_erasures, &before, 1, &rows, err);

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

/* Id 0: there is none. */
static int read_end(struct maria *m, struct audit_head *ret, struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query(m, govern_sql_audit_end, NULL, 0, &rows, err);

	*ret = (struct audit_head){0};
	if (r == 0)
		r = maria_rows_next(rows, err);
	if (r > 0) {
		ret->id = maria_rows_uint(rows, 0);
		(void)snprintf(ret->hash, sizeof(ret->hash), "%.*s",
			       STR_ARGS(maria_rows_str(rows, 1)));
	}
	return r < 0 ? r : 0;
}

static int check_end(struct chain *c, struct maria *m, struct err *err)
{
	struct audit_head end;
	int r;

	if (c->seen.id > c->before.id)
		return err_set(err, ERR_CORRUPTED,
			       "the audit ends with event %" PRIu64 ", and it had %" PRIu64
			       " when it was last verified",
			       c->before.id, c->seen.id);
	r = read_end(m, &end, err);
	if (r < 0)
		return r;
	if (end.id != c->before.id || strcmp(end.hash, c->before.hash) != 0)
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

/* --- audit.head ------------------------------------------------------------------------------ */

static int lock_witness(const struct audit_witness *w, int *ret_fd, struct err *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s" AUDIT_LOCK, w->path);

	*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return file_error("open", path, err);
	while (flock(*ret_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return file_error("lock", path, err);
	return 0;
}

/* Unless somebody has moved it meanwhile: then theirs stands, and whoever follows goes on from it:
 * each step of the file is one that was verified. */
static int move_witness(const struct audit_witness *w, const struct audit_head *from,
			const struct audit_head *to, bool *ret_moved, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct audit_head now = {0};
	char text[FILE_MAX];
	int r, len;

	*ret_moved = true;
	if (!w->path)
		return 0;
	r = lock_witness(w, &fd, err);
	if (r == 0)
		r = read_witness(w, &now, err);
	if (r < 0)
		return r;
	*ret_moved = is_same(&now, from);
	if (!*ret_moved)
		return 0;
	len = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", to->id, to->hash);
	return file_write_atomic(w->path, text, (size_t)len, 0600, err);
}

/* What was found to be wrong stands beside audit.head until all is right: for who was not there. */
static void tell_wrong(const struct audit_witness *witness, int r, const struct err *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	char text[WRONG_BYTES];
	int len;

	if (!witness->path || r != -ERR_CORRUPTED || !err)
		return;
	path = mem_printf("%s" AUDIT_WRONG, witness->path);
	len = snprintf(text, sizeof(text), "%s\n", err->message);
	if (file_write_atomic(path, text, (size_t)len, 0600, NULL) < 0)
		return; /* whoever verifies tells it all the same */
}

/* All of it: the head moves more often, by what came last. */
static void tell_verified(const struct audit_witness *witness)
{
	_cleanup_(mem_freep) char *wrong = NULL, *verified = NULL;

	if (!witness->path)
		return;
	wrong = mem_printf("%s" AUDIT_WRONG, witness->path);
	verified = mem_printf("%s" AUDIT_VERIFIED, witness->path);
	(void)unlink(wrong);
	(void)!file_write_atomic(verified, "", 0, 0600, NULL);
}

/* --- from a place in the chain to its end ---------------------------------------------------- */

/* `ret_moved`: audit.head is there now; false: somebody else moved it meanwhile. */
static int check_from(struct chain *c, struct maria *m, bool *ret_moved, struct err *err)
{
	int r = check_pieces(c, m, err);

	map_done(&c->erased);
	arena_done(&c->arena);
	tell_wrong(c->witness, r, err);
	return r < 0 ? r : move_witness(c->witness, &c->seen, &c->before, ret_moved, err);
}

int audit_verify(struct maria *m, const struct audit_witness *witness, struct audit_state *ret,
		 struct err *err)
{
	struct chain c = {.witness = witness, .state = ret, .before.hash = AUDIT_FIRST_HASH};
	bool is_moved = false;
	int r;

	*ret = (struct audit_state){0};
	r = read_witness(witness, &c.seen, err);
	if (r < 0) {
		tell_wrong(witness, r, err);
		return r;
	}
	r = check_from(&c, m, &is_moved, err);
	ret->last = c.before.id;
	memcpy(ret->head, c.before.hash, sizeof(ret->head));
	if (r == 0)
		tell_verified(witness);
	return r;
}

/* Whether the chain has the event that audit.head names. */
static int has_event(struct maria *m, const struct audit_head *kept, bool *ret, struct err *err)
{
	const struct maria_value params[] = {MARIA_U(kept->id), MARIA_S(kept->hash)};
	int64_t n = 0;
	int r = maria_query_int(m, govern_sql_audit_has, params, ARRAY_LEN(params), &n, err);

	*ret = n > 0;
	return r;
}

int audit_follow(struct maria *m, const struct audit_witness *witness, struct err *err)
{
	struct audit_state state = {0};
	struct audit_head end = {0};
	bool is_there = false, is_moved = false;

	atomic_store(&audit_appended, false);
	/* What comes after this look is for the next one: others may never cease to append. */
	while (!is_moved) {
		struct chain c = {.witness = witness, .state = &state};
		int r = read_witness(witness, &c.seen, err);

		tell_wrong(witness, r, err);
		if (r == 0)
			r = read_end(m, &end, err);
		if (r == 0 && is_same(&c.seen, &end))
			return 0;
		if (r == 0)
			r = has_event(m, &c.seen, &is_there, err);
		/* Else all of it says what is wrong, or that it was purged, or that it is the first
		 * time. */
		if (r < 0 || !is_there)
			return r < 0 ? r : audit_verify(m, witness, &state, err);
		c.before = c.seen;
		r = check_from(&c, m, &is_moved, err);
		if (r < 0)
			return r;
	}
	return 0;
}
