/*
 * Any bytes as the body of a request for an order: an error that says what is wrong, or a request
 * with all that the body says, lines and prices as the JSON that they were, so that nothing that
 * a client wants is left out of what the database is asked.
 */
#include "fuzz.h"
#include "shop/order_desk.h"

#include <jansson.h>

#include "base/banned.h"

const char fuzz_corpus[] = "shop_order";

static void check_id(const json_t *o, const char *name, uint64_t id)
{
	const json_t *v = json_object_get(o, name);

	if (!v || json_is_null(v))
		bug_if(id);
	else
		bug_if(!id || (json_int_t)id != json_integer_value(v));
}

/* Numbers may lose digits that no amount of money has: kinds and sizes are as they were. */
static bool is_alike(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;
	bool is = json_typeof(a) == json_typeof(b) && json_array_size(a) == json_array_size(b) &&
		  json_object_size(a) == json_object_size(b);

	for (size_t i = 0; is && i < json_array_size(a); i++)
		is = is_alike(json_array_get(a, i), json_array_get(b, i));
	/* jansson's macro wants a mutable object. */
	json_object_foreach((json_t *)(uintptr_t)a, name, value)
	{
		is = is && json_object_get(b, name) && is_alike(value, json_object_get(b, name));
	}
	return is && (json_is_real(a) || json_is_array(a) || json_is_object(a) || json_equal(a, b));
}

static void check_text(const json_t *v, const char *text)
{
	json_t *read = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	if (v && !json_is_null(v))
		bug_if(!read || !is_alike(v, read));
	else
		bug_if(read && json_array_size(read));
	json_decref(read);
}

static void check_request(struct str body, const struct shop_order_request *q)
{
	json_t *o = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *channel = json_object_get(o, "channel");

	bug_if(!json_is_object(o) || !q->customer_id || !q->lines || q->key);
	check_id(o, "customer_id", q->customer_id);
	check_id(o, "address_id", q->address_id);
	check_id(o, "cart_id", q->cart_id);
	check_text(json_object_get(o, "lines"), q->lines);
	check_text(json_object_get(o, "quoted_prices"), q->quoted);
	bug_if(strcmp(q->channel, json_is_string(channel) ? json_string_value(channel) : "api") !=
	       0);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = {(const char *)data, size};
	struct shop_order_request request = {.key = "unset"};
	struct arena arena = {0};
	struct err err = {0};

	if (shop_order_desk_read(body, &arena, &request, &err) < 0) {
		bug_if(err.code != ERR_INVALID_ARGUMENT || !err.message[0]);
		bug_if(!utf8_is_valid(err.message, strlen(err.message)));
		bug_if(!cstr_equal(request.key, "unset"));
	} else {
		check_request(body, &request);
	}
	arena_done(&arena);
	return 0;
}
