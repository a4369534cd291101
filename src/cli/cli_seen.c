/* Who saw whom through the API: see cli_seen.h. */
#include "cli/cli_seen.h"

#include <jansson.h>

#include "base/banned.h"

struct keys {
	uint64_t *items;
	size_t n, cap;
};

static enum token_keys keys_of(const char *in)
{
	static const struct {
		const char *in;
		enum token_keys kind;
	} known[] = {{"customers", TOKEN_KEYS_CUSTOMERS},
		     {"customer_profiles", TOKEN_KEYS_CUSTOMERS},
		     {"reviews", TOKEN_KEYS_REVIEWS}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (cstr_equal(in, known[i].in))
			return known[i].kind;
	return TOKEN_KEYS_NONE;
}

static void add_id(struct keys *k, uint64_t id)
{
	mem_grow(&k->items, &k->cap, k->n + 1, sizeof(*k->items));
	k->items[k->n++] = id;
}

static void add_key_text(struct keys *k, struct str key)
{
	uint64_t id = 0;

	if (parse_uint64(key, UINT64_MAX, &id, NULL) == 0)
		add_id(k, id);
}

static void add_key(struct keys *k, const json_t *key)
{
	if (json_is_integer(key))
		add_id(k, (uint64_t)json_integer_value(key));
	else if (json_is_string(key))
		add_key_text(k, str_from(json_string_value(key)));
}

static void add_keys(struct keys *k, const json_t *answer)
{
	const json_t *hit, *variant;
	size_t i, j;

	add_key(k, json_object_get(answer, "id")); /* others are like this one */
	json_array_foreach(json_object_get(answer, "hits"), i, hit)
	{
		add_key(k, json_object_get(hit, "id"));
		add_key(k, json_object_get(hit, "key"));
		json_array_foreach(json_object_get(hit, "variants"), j, variant)
		    add_key(k, variant);
	}
}

static int tell(struct maria_pool *tokens, const struct http_guest *guest,
		const struct audit_event *event, enum token_keys kind, const struct keys *keys,
		struct err *err)
{
	struct audit_event e = *event;
	char actor[HTTP_GUEST_NAME_MAX + sizeof("token:")];

	(void)snprintf(actor, sizeof(actor), "token:%s", guest->id);
	e.actor = guest->is_operator ? "operator" : actor;
	e.role = guest->role;
	e.purpose = guest->name;
	e.outcome = event->outcome ? event->outcome : "done";
	return token_keeper_saw(tokens, &e, kind, keys->items, keys->n, err);
}

/* Whoever matched, whether shown or not; of many, that there were so many. */
static int tell_matched(struct maria_pool *tokens, const struct http_guest *guest,
			const struct audit_event *event, const struct search_matched *matched,
			const struct keys *shown, struct err *err)
{
	enum token_keys kind = keys_of(event->object);
	struct audit_event e = *event;
	struct keys keys = {0};
	int r = 0;

	if (matched->keys) {
		for (size_t i = 0; i < matched->n; i++)
			add_key_text(&keys, matched->keys[i]);
		r = tell(tokens, guest, event, kind, &keys, err);
		mem_free(keys.items);
		return r;
	}
	e.rows = matched->n;
	r = tell(tokens, guest, &e, kind, &keys, err);
	return r < 0 || !shown->n ? r : tell(tokens, guest, event, kind, shown, err);
}

int cli_seen_hits(struct maria_pool *tokens, const struct http_guest *guest,
		  const struct audit_event *event, const struct search_matched *matched,
		  struct strbuf *json, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = json_loadb(strbuf_str(json), json->len, 0, NULL);
	struct keys keys = {0};
	int r = answer ? 0 : err_set(err, ERR_INTERNAL, "the answer is no JSON");

	if (r == 0) {
		add_keys(&keys, answer);
		r = matched && matched->n
			? tell_matched(tokens, guest, event, matched, &keys, err)
			: tell(tokens, guest, event, keys_of(event->object), &keys, err);
	}
	mem_free(keys.items);
	if (r < 0)
		strbuf_truncate(json, 0);
	return r;
}

int cli_seen_customer(struct maria_pool *tokens, const struct http_guest *guest, const char *action,
		      const char *customer, struct strbuf *json, struct err *err)
{
	uint64_t id = 0;
	struct keys keys = {&id, 1, 1};
	int r = parse_uint64(str_from(customer), UINT64_MAX, &id, err);

	if (r == 0 && guest->customer == id)
		return 0;
	if (r == 0)
		r = tell(tokens, guest,
			 &(struct audit_event){.action = action, .object = "customers"},
			 TOKEN_KEYS_CUSTOMERS, &keys, err);
	if (r < 0)
		strbuf_truncate(json, 0);
	return r;
}

int cli_seen_order(struct maria_pool *tokens, const struct http_guest *guest, uint64_t customer,
		   struct err *err)
{
	const struct keys keys = {&customer, 1, 1};

	if (guest->customer == customer)
		return 0;
	return tell(
	    tokens, guest,
	    &(struct audit_event){.action = "http.order", .object = "orders", .outcome = "begun"},
	    TOKEN_KEYS_CUSTOMERS, &keys, err);
}
