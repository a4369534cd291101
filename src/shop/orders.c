/* Orders: see orders.h. */
#include "shop/orders.h"

#include "base/clock.h"
#include "base/file.h"
#include "shop/orders_int.h"

#include <unistd.h>

#include "base/banned.h"

#define PAUSE_MIN_US 2000U
#define PAUSE_MAX_US 500000U

/* --- refusals -------------------------------------------------------------------------------- */

static const struct {
	const char *state;
	enum err_code code;
} refusals[] = {
    {"45001", ERR_CONFLICT},	     /* too few are left */
    {"45002", ERR_CONFLICT},	     /* no place on that day */
    {"45003", ERR_NOT_FOUND},	     /* no such product */
    {"45004", ERR_CONFLICT},	     /* product is retired */
    {"45005", ERR_CONFLICT},	     /* customer may not order */
    {"45006", ERR_INVALID_ARGUMENT}, /* no lines */
    {"45007", ERR_INVALID_ARGUMENT}, /* a bad line */
    {"45008", ERR_CONFLICT},	     /* another price */
    {"45009", ERR_CONFLICT},	     /* the key of another order */
    {"45010", ERR_CONFLICT},	     /* not in this state */
    {"45011", ERR_NOT_FOUND},	     /* not the customer's address */
    {"45012", ERR_INVALID_ARGUMENT}, /* two currencies */
    {"45013", ERR_NOT_FOUND},	     /* no such order */
    {"45014", ERR_CONFLICT},	     /* less is left to return */
    {"45015", ERR_CONFLICT},	     /* the cart is over */
};

/* A refusal in its own words. */
static int explain(const struct maria *m, int r, struct err *err)
{
	const struct maria_refusal *refusal = maria_refusal(m);

	for (size_t i = 0; refusal && i < ARRAY_LEN(refusals); i++) {
		if (cstr_equal(refusal->state, refusals[i].state))
			return err_set(err, refusals[i].code, "%s", refusal->text);
	}
	return r;
}

bool shop_order_is_short(const struct maria *m)
{
	const struct maria_refusal *refusal = maria_refusal(m);

	return refusal &&
	       (cstr_equal(refusal->state, "45001") || cstr_equal(refusal->state, "45002"));
}

/* --- calling --------------------------------------------------------------------------------- */

struct call {
	const char *sql;
	const struct maria_value *params;
	size_t n_params, n_columns;
};

/* The one row of its answer as texts, NULL as "". */
static int run(struct maria *m, const struct call *c, struct arena *arena, const char **ret,
	       struct err *err)
{
	_cleanup_(maria_rows_closep) struct maria_rows *rows = NULL;
	int r = maria_query_row(m, c->sql, c->params, c->n_params, &rows, err);

	if (r < 0)
		return explain(m, r, err);
	if (r == 0)
		return err_set(err, ERR_INTERNAL, "the procedure gave no answer");
	for (size_t i = 0; i < c->n_columns; i++)
		ret[i] = arena_str(arena, maria_rows_str(rows, i)).data;
	return 0;
}

static struct maria_value text_or_null(const char *text)
{
	return text ? MARIA_S(text) : MARIA_N;
}

static struct maria_value number_or_null(uint64_t number)
{
	return number ? MARIA_U(number) : MARIA_N;
}

/* Doubles with each try, up to the most; some of it by chance, so that those who met part. */
static void pause_between(unsigned tries)
{
	unsigned most = tries < 8 ? PAUSE_MIN_US << tries : PAUSE_MAX_US, part;

	random_bytes(&part, sizeof(part));
	(void)usleep(most / 2 + part % (most / 2));
}

static bool may_repeat(enum err_code code)
{
	return code == ERR_RETRY || code == ERR_TIMEOUT || code == ERR_UNAVAILABLE;
}

/* What is no refusal says nothing of the order: its answer may have been lost behind the commit.
 * What it was asked for is not at fault. */
static void tell_unknown(const struct maria *m, struct err *err)
{
	if (maria_refusal(m))
		return;
	if (!may_repeat(err->code))
		err->code = ERR_UNAVAILABLE;
	(void)err_hint(err, "it may have been placed: ask again with the same key");
}

int shop_order_place(struct maria *m, const struct shop_order_request *q, int64_t until_us,
		     struct arena *arena, struct shop_order_placed *ret, struct err *err)
{
	const struct maria_value params[] = {
	    MARIA_U(q->customer_id),   number_or_null(q->address_id), MARIA_S(q->lines),
	    MARIA_S(q->key),	       text_or_null(q->quoted),	      text_or_null(q->channel),
	    number_or_null(q->cart_id)};
	const char *row[4];
	const struct call c = {shop_sql_order_place, params, ARRAY_LEN(params), ARRAY_LEN(row)};
	unsigned tries = 0;
	bool is_sent = false;

	for (;;) {
		struct err local = {0};
		int r = maria_is_lost(m) ? maria_reconnect(m, &local) : 0;

		if (r == 0) {
			is_sent = true;
			r = run(m, &c, arena, row, &local);
		}
		if (r == 0)
			break;
		if (!may_repeat(local.code) || clock_monotonic_us() >= until_us) {
			if (is_sent)
				tell_unknown(m, &local);
			if (err)
				*err = local;
			return -(int)local.code;
		}
		pause_between(tries++);
	}
	*ret = (struct shop_order_placed){
	    .total_amount = row[1], .currency = row[2], .placed_at = row[3], .retries = tries};
	return parse_uint64(str_from(row[0]), UINT64_MAX, &ret->order_id, err);
}

/* --- changing -------------------------------------------------------------------------------- */

int shop_order_change(struct maria *m, uint64_t order_id, enum shop_order_change change,
		      const char *text, struct arena *arena, struct shop_order_state *ret,
		      struct err *err)
{
	const struct maria_value params[] = {MARIA_U(order_id), text_or_null(text)};
	const char *row[6];
	const char *sql = change == SHOP_ORDER_CANCEL	? shop_sql_order_cancel
			  : change == SHOP_ORDER_RETURN ? shop_sql_order_return
							: shop_sql_order_status;
	const struct call c = {sql, params, change == SHOP_ORDER_CANCEL ? 1 : 2, ARRAY_LEN(row)};
	int r = run(m, &c, arena, row, err);

	if (r < 0 && !maria_refusal(m))
		return err_hint(err, "it may have happened: aethermart order show %llu",
				(unsigned long long)order_id);
	if (r < 0)
		return r;
	*ret = (struct shop_order_state){.order_id = order_id,
					 .order_status = row[1],
					 .payment_status = row[2],
					 .total_amount = row[3],
					 .refunded_amount = row[4],
					 .currency = row[5]};
	return 0;
}

int shop_order_show(struct maria *m, uint64_t order_id, struct arena *arena, const char **ret_json,
		    struct err *err)
{
	const struct maria_value id = MARIA_U(order_id), params[] = {id, id, id, id, id};
	_cleanup_(mem_freep) char *json = NULL;
	int r = maria_query_text(m, shop_sql_order_show, params, ARRAY_LEN(params), &json, err);

	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "order %llu does not exist",
			       (unsigned long long)order_id);
	if (r == 0)
		*ret_json = arena_strdup(arena, json ? json : "null");
	return r;
}
