/* Orders over HTTP: see order_desk.h. */
#include "shop/order_desk.h"

#include "base/clock.h"

#include <jansson.h>

#include "base/banned.h"

#define PLACE_US 3000000 /* for attempts: clients wait, and so do searches behind them */
#define READ_S	 5	 /* for an answer */
#define LOCK_S	 2

void shop_order_desk_add_grant(struct strbuf *b, const char *database, const char *user)
{
	MARIA_ADD(b, "GRANT EXECUTE ON PROCEDURE #.sp_PlaceOrderFrom TO ", database);
	maria_add_literal(b, str_from(user));
	strbuf_addstr(b, "@'%';\n");
}

struct maria_pool *shop_order_desk_connections(const struct maria_options *maria)
{
	struct maria_options options = *maria;

	options.read_timeout_s = READ_S;
	options.lock_wait_s = LOCK_S;
	return maria_pool_new(&options);
}
/* --- reading --------------------------------------------------------------------------------- */

static int wrong(const char *member, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not %s", member, what);
}

/* 0 when it is not there, or null. */
static int read_id(const json_t *o, const char *name, uint64_t *ret, struct err *err)
{
	const json_t *v = json_object_get(o, name);

	*ret = 0;
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) <= 0)
		return wrong(name, "a number above 0", err);
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

/* A member as the text of its JSON; NULL when it is not there, or null. Numbers keep their digits.
 * What it has to be is for the procedure to say. */
static const char *text_of(const json_t *o, const char *name, struct arena *arena)
{
	const json_t *v = json_object_get(o, name);
	_cleanup_(mem_freep) char *text = NULL;

	if (!v || json_is_null(v))
		return NULL;
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	bug_if(!text); /* memory does not run out, and what was parsed can be written */
	return arena_strdup(arena, text);
}

static int check_names(const json_t *o, struct err *err)
{
	static const char *const names[] = {"customer_id",   "address_id", "cart_id", "lines",
					    "quoted_prices", "channel",	   NULL};
	const char *name;
	json_t *value;

	/* jansson's macro wants a mutable object. */
	json_object_foreach((json_t *)(uintptr_t)o, name, value)
	{
		size_t i = 0;

		while (names[i] && !cstr_equal(names[i], name))
			i++;
		if (!names[i]) {
			(void)err_set(err, ERR_INVALID_ARGUMENT, "an order has no \"%s\"", name);
			return err_near(err, cstr_nearest(name, names));
		}
	}
	return 0;
}

static int read_members(const json_t *o, struct arena *arena, struct shop_order_request *ret,
			struct err *err)
{
	const json_t *channel = json_object_get(o, "channel");
	int r = json_is_object(o)
		    ? check_names(o, err)
		    : err_set(err, ERR_INVALID_ARGUMENT, "the body is no JSON object");

	if (r == 0)
		r = read_id(o, "customer_id", &ret->customer_id, err);
	if (r == 0)
		r = read_id(o, "address_id", &ret->address_id, err);
	if (r == 0)
		r = read_id(o, "cart_id", &ret->cart_id, err);
	if (r < 0)
		return r;
	if (!ret->customer_id)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"customer_id\" is missing");
	if (channel && !json_is_null(channel) && !json_is_string(channel))
		return wrong("channel", "a text", err);
	ret->channel =
	    json_is_string(channel) ? arena_strdup(arena, json_string_value(channel)) : "api";
	ret->lines = text_of(o, "lines", arena);
	ret->quoted = text_of(o, "quoted_prices", arena);
	if (!ret->lines)
		ret->lines = "[]"; /* refused with an example */
	return 0;
}

int shop_order_desk_read(struct str body, struct arena *arena, struct shop_order_request *ret,
			 struct err *err)
{
	struct shop_order_request request = {0};
	json_t *o = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
	int r = read_members(o, arena, &request, err);

	json_decref(o);
	if (r == 0)
		*ret = request;
	return r;
}

/* --- placing --------------------------------------------------------------------------------- */

int shop_order_desk_place(struct maria_pool *p, const struct shop_order_request *request,
			  struct strbuf *json, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct shop_order_placed placed;
	struct maria *m = NULL;
	int r = maria_pool_take(p, &m, err);

	if (r < 0)
		return r;
	r = shop_order_place(m, request, clock_monotonic_us() + PLACE_US, &arena, &placed, err);
	/* After an error that is no refusal it may be in the middle of something. */
	if (r < 0 && !maria_refusal(m))
		m = maria_close(m);
	maria_pool_give(p, m);
	if (r < 0)
		return r;
	strbuf_addf(json, "{\"order_id\":%llu,\"total_amount\":%s,\"currency\":",
		    (unsigned long long)placed.order_id, placed.total_amount);
	strbuf_add_json(json, placed.currency, strlen(placed.currency));
	strbuf_addstr(json, ",\"placed_at\":");
	strbuf_add_json(json, placed.placed_at, strlen(placed.placed_at));
	strbuf_addstr(json, "}\n");
	return 0;
}
