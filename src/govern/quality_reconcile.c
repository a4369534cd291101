/*
 * Whether a store has what the rows make of it. Nothing is compared here: of documents and the
 * index it is what `verify` proves (sync_verify.h, search_verify.h), of the warehouse what
 * `warehouse check` does (shop/warehouse.h). A store that cannot be asked is an error, never one
 * that agrees.
 */
#include "govern/quality_int.h"

#include "store/mongo.h"

#include <inttypes.h>

#include "base/banned.h"

/* --- documents, the index -------------------------------------------------------------------- */

static void take_differences(struct quality_runner *rn, struct quality_result *r,
			     const struct sync_verify_result *v)
{
	struct quality_keys keys = {.max = quality_keys_max(r->check)};
	const char *late = "";

	if (v->late)
		late = arena_printf(&rn->run->arena, ", %" PRIu64 " without a vector yet", v->late);
	r->checked = v->rows > v->documents ? v->rows : v->documents;
	r->failed = v->missing + v->extra + v->different + v->refused;
	for (size_t i = 0; i < v->n_differences; i++)
		quality_add_failed(rn, &keys, v->differences[i].key);
	r->keys = keys.items;
	r->n_keys = keys.n;
	r->details = arena_printf(
	    &rn->run->arena,
	    "%" PRIu64 " rows, %" PRIu64 " documents: %" PRIu64 " missing, %" PRIu64
	    " extra, %" PRIu64 " differ, %" PRIu64 " refused%s",
	    v->rows, v->documents, v->missing, v->extra, v->different, v->refused, late);
}

static int verify_documents(const struct quality_stores *s, const struct mapping *m,
			    const struct sync_verify_options *options,
			    struct sync_verify_result *ret, struct err *err)
{
	if (!s->mongo || !s->sync)
		return err_set(err, ERR_UNAVAILABLE, "%s",
			       s->without ? s->without : "MongoDB is not there");
	return sync_verify(s->sync, s->mongo, m, options, ret, err);
}

static int verify_index(const struct quality_stores *s, const struct mapping *m,
			const struct sync_verify_options *options, struct sync_verify_result *ret,
			struct err *err)
{
	if (!s->verify_index)
		return err_set(err, ERR_UNAVAILABLE, "the index cannot be asked from here");
	return s->verify_index(s->arg, m, options, ret, err);
}

static int reconcile_documents(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	const struct quality_check *c = r->check;
	const struct mapping *m = mapping_set_find(rn->stores->mappings, c->collection);
	struct sync_verify_options options = {.wait_ms = c->timeout_ms};
	struct sync_verify_result v = {0};
	int rc = c->store == QUALITY_INDEX ? verify_index(rn->stores, m, &options, &v, err)
					   : verify_documents(rn->stores, m, &options, &v, err);

	if (rc == 0)
		take_differences(rn, r, &v);
	if (rc == 0 && !r->failed && v.pending)
		rc = err_set(err, ERR_TIMEOUT,
			     "%" PRIu64 " documents changed while they were compared", v.pending);
	sync_verify_result_done(&v);
	return rc;
}

/* --- the warehouse --------------------------------------------------------------------------- */

/* Subjects, as orders or the revenue in a currency: one that differs is told by its name. */
struct subjects {
	struct quality_runner *rn;
	struct quality_keys keys;
	struct strbuf text;
	uint64_t checked, failed, waiting, agreeing;
};

static int take_subject(void *arg, const struct shop_warehouse_finding *f, struct err *err)
{
	struct subjects *s = arg;

	(void)err;
	s->checked++;
	s->waiting += f->pending > 0;
	s->agreeing += !f->differ && cstr_equal(f->shop, f->warehouse);
	if (f->differ == f->pending)
		return 0;
	s->failed++;
	quality_add_failed(s->rn, &s->keys, str_from(f->subject));
	strbuf_addf(&s->text, "%s%s: %" PRIu64 " differ", s->text.len ? ", " : "", f->subject,
		    f->differ - f->pending);
	return 0;
}

/* What waits to be taken is no difference; but where all of it waits, nothing was compared. */
static int reconcile_warehouse(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	struct subjects s = {.rn = rn, .keys = {.max = QUALITY_SAMPLE}, .text = STRBUF_INIT(4096)};
	int rc = rn->stores->check_warehouse
		     ? rn->stores->check_warehouse(rn->stores->arg, r->check->timeout_ms,
						   take_subject, &s, err)
		     : err_set(err, ERR_UNAVAILABLE, "the warehouse cannot be asked from here");

	if (rc == 0 && s.waiting && !s.failed && !s.agreeing)
		rc = err_set(err, ERR_UNAVAILABLE,
			     "the warehouse has taken nothing yet: `aethermart warehouse refresh`");
	r->checked = s.checked;
	r->failed = s.failed;
	r->keys = s.keys.items;
	r->n_keys = s.keys.n;
	if (s.failed)
		r->details = arena_strdup(&rn->run->arena, strbuf_str(&s.text));
	else if (s.waiting)
		r->details = arena_printf(&rn->run->arena,
					  "what differs in %" PRIu64 " subjects waits to be "
					  "taken: `aethermart warehouse refresh`",
					  s.waiting);
	strbuf_done(&s.text);
	return rc;
}

int quality_reconcile(struct quality_runner *rn, struct quality_result *r, struct err *err)
{
	return r->check->store == QUALITY_WAREHOUSE ? reconcile_warehouse(rn, r, err)
						    : reconcile_documents(rn, r, err);
}
