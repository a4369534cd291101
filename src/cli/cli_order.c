/* `aethermart order`: places, shows and changes orders by the procedures of the database; and many
 * clients at once that prove that none is sold twice. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/table.h"
#include "shop/order_stress.h"
#include "shop/orders.h"

#include <inttypes.h>
#include <signal.h>

#include "base/banned.h"

#define PLACE_US  30000000 /* for attempts */
#define KEY_BYTES 16	   /* of a key that nobody chose */

/* --- numbers --------------------------------------------------------------------------------- */

static int read_id(const char *text, const char *what, uint64_t *ret, struct err *err)
{
	if (parse_uint64(str_from(text), UINT64_MAX, ret, NULL) < 0 || !*ret)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not the number of %s", text,
			       what);
	return 0;
}

/* An option that is not given is 0. */
static int read_option(const struct command_line *line, const char *name, const char *what,
		       uint64_t *ret, struct err *err)
{
	const char *text = command_text(line, name);

	*ret = 0;
	return text ? read_id(text, what, ret, err) : 0;
}

static bool is_above_zero(const char *amount)
{
	return amount && strtod(amount, NULL) > 0;
}

/* --- place ----------------------------------------------------------------------------------- */

/* "7", "7x2", "7x2@19.99" as a line in JSON. */
static int add_line(const char *text, const char *date, json_t *lines, struct err *err)
{
	size_t product = strspn(text, "0123456789"), at = product, quantity = 0;
	json_t *line = json_object();

	if (product && text[at] == 'x') {
		quantity = strspn(text + at + 1, "0123456789");
		at += quantity + 1;
	}
	if (!product || (at > product && !quantity) ||
	    (text[at] && (text[at] != '@' || !text[at + 1]))) {
		json_decref(line);
		return err_set(
		    err, ERR_INVALID_ARGUMENT,
		    "\"%s\" is no line: PRODUCT, PRODUCTxQUANTITY or PRODUCTxQUANTITY@PRICE", text);
	}
	(void)json_object_set_new(line, "product_id", json_stringn(text, product));
	(void)json_object_set_new(line, "quantity",
				  quantity ? json_stringn(text + product + 1, quantity)
					   : json_integer(1));
	(void)json_array_append_new(lines, line);
	if (text[at] && json_object_set_new(line, "price", json_string(text + at + 1)) < 0)
		return err_set(err, ERR_INVALID_ARGUMENT, "the price of product %.*s is no UTF-8",
			       (int)product, text);
	if (date)
		(void)json_object_set_new(line, "date", json_string(date));
	return 0;
}

static char *make_key(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(0);
	unsigned char bytes[KEY_BYTES];

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		strbuf_addf(&b, "%02x", bytes[i]);
	return strbuf_take(&b);
}

static int print_placed(const struct command_line *line, const struct shop_order_placed *p,
			const char *key, struct err *err)
{
	if (line->json)
		return cli_print_json(json_pack("{s:I, s:s, s:s, s:s, s:s, s:I}", "order_id",
						(json_int_t)p->order_id, "total_amount",
						p->total_amount, "currency", p->currency,
						"placed_at", p->placed_at, "idempotency_key", key,
						"retries", (json_int_t)p->retries),
				      err);
	printf("order %" PRIu64 " placed: %s %s\n", p->order_id, p->total_amount, p->currency);
	return cli_flush(err);
}

static int run_place(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(json_decrefp) json_t *lines = json_array();
	_cleanup_(mem_freep) char *text = NULL, *key = NULL;
	const char *given = command_text(line, "key");
	struct shop_order_request q = {.channel = command_text(line, "channel")};
	struct shop_order_placed placed;
	int r = read_id(line->argv[0], "a customer", &q.customer_id, err);

	if (r == 0)
		r = read_option(line, "address", "an address", &q.address_id, err);
	if (r == 0)
		r = read_option(line, "cart", "a cart", &q.cart_id, err);
	for (int i = 1; i < line->argc && r == 0; i++)
		r = add_line(line->argv[i], command_text(line, "date"), lines, err);
	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r < 0)
		return r;
	key = given ? mem_strdup(given) : make_key();
	text = json_dumps(lines, JSON_COMPACT);
	q.key = key;
	q.lines = text;
	r = shop_order_place(m, &q, clock_monotonic_us() + PLACE_US, &arena, &placed, err);
	if (r < 0 && !maria_refusal(m))
		return err_hint(err, "it may have been placed: ask again with --key %s", key);
	return r < 0 ? r : print_placed(line, &placed, key, err);
}

static const struct command_option place_options[] = {
    {.name = "address",
     .type = COMMAND_TEXT,
     .argument = "ID",
     .help = "where it goes; the customer's default address when not given"},
    {.name = "cart",
     .type = COMMAND_TEXT,
     .argument = "ID",
     .help = "a cart whose reservation becomes the order"},
    {.name = "channel",
     .type = COMMAND_TEXT,
     .argument = "NAME",
     .fallback = "cli",
     .help = "how it came"},
    {.name = "date",
     .type = COMMAND_TEXT,
     .argument = "DAY",
     .help = "when services are wanted: 2026-12-24"},
    {.name = "key",
     .type = COMMAND_TEXT,
     .argument = "TEXT",
     .help = "idempotency key: asked again with it, the first answer is given"},
    {0},
};

static const struct command order_place = {
    .name = "place",
    .summary = "places an order",
    .arguments = "CUSTOMER PRODUCT[xQUANTITY][@PRICE]...",
    .min_args = 2,
    .max_args = -1,
    .options = place_options,
    .help =
	"A price that is given has to be the price of now. Nothing of an order that is refused "
	"stays.\n\n  aethermart order place 15 7 42x2\n  aethermart order place 15 7@19.99 --key "
	"basket-81",
    .run = run_place,
};

/* --- show ------------------------------------------------------------------------------------ */

static const char *text_of(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) ? json_string_value(v) : "";
}

/* Numbers as they are written in JSON: amounts keep their cents. */
static char *number_of(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	if (json_is_integer(v))
		return mem_printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return json_is_real(v) ? mem_printf("%.2f", json_real_value(v)) : mem_strdup("");
}

static void print_lines(const json_t *lines, FILE *out)
{
	static const char *const titles[] = {">product",  "name", ">pieces", ">price",
					     ">returned", "day",  NULL};
	struct table *t = table_new(titles);

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *l = json_array_get(lines, i);
		_cleanup_(mem_freep) char *product = number_of(l, "product_id"),
					  *pieces = number_of(l, "quantity");
		_cleanup_(mem_freep) char *price = number_of(l, "price"),
					  *returned = number_of(l, "returned");

		table_add(t, (const char *const[]){product, text_of(l, "name"), pieces, price,
						   returned, text_of(l, "service_date")});
	}
	table_print(t, out);
	table_free(t);
}

static void print_order(const json_t *o)
{
	_cleanup_(mem_freep) char *id = number_of(o, "order_id"),
				  *customer = number_of(o, "customer_id");
	_cleanup_(mem_freep) char *total = number_of(o, "total_amount"),
				  *refunded = number_of(o, "refunded_amount");
	const json_t *to = json_object_get(o, "ship_to"), *events = json_object_get(o, "events");

	printf("order %s of customer %s, %s, %s%s\n", id, customer, text_of(o, "order_date"),
	       text_of(o, "channel"),
	       json_is_true(json_object_get(o, "is_archived")) ? ", archived" : "");
	printf("%s, payment %s, %s %s", text_of(o, "status"), text_of(o, "payment"), total,
	       text_of(o, "currency"));
	if (is_above_zero(refunded))
		printf(", %s refunded", refunded);
	printf("\n");
	if (json_is_object(to))
		printf("to %s, %s %s %s, %s\n", text_of(to, "street"), text_of(to, "city"),
		       text_of(to, "state"), text_of(to, "zip"), text_of(to, "country"));
	printf("\n");
	print_lines(json_object_get(o, "lines"), stdout);
	if (json_array_size(events))
		printf("\n");
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *e = json_array_get(events, i);
		const char *before = text_of(e, "before");

		printf("%.19s  %-8s %s%s%s\n", text_of(e, "at"), text_of(e, "event"), before,
		       before[0] ? " -> " : "", text_of(e, "after"));
	}
}

static int run_show(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	_cleanup_(json_decrefp) json_t *order = NULL;
	const char *text = NULL;
	uint64_t id;
	int r = read_id(line->argv[0], "an order", &id, err);

	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r == 0)
		r = shop_order_show(m, id, &arena, &text, err);
	if (r < 0)
		return r;
	order = json_loads(text, 0, NULL);
	if (!order)
		return err_set(err, ERR_CORRUPTED, "the database answers no JSON");
	if (line->json)
		return cli_print_json(json_incref(order), err);
	print_order(order);
	return cli_flush(err);
}

static const struct command order_show = {
    .name = "show",
    .summary = "an order, its lines and what happened to it",
    .arguments = "ORDER",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

/* --- change ---------------------------------------------------------------------------------- */

static int change(const struct command_line *line, enum shop_order_change what, const char *text,
		  struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	_cleanup_(maria_closep) struct maria *m = NULL;
	struct shop_order_state s = {0};
	uint64_t id = 0;
	int r = read_id(line->argv[0], "an order", &id, err);

	if (r == 0)
		r = cli_open_maria(line, ENDPOINT_ADMIN, &m, err);
	if (r == 0)
		r = shop_order_change(m, id, what, text, &arena, &s, err);
	if (r < 0)
		return r;
	if (line->json)
		return cli_print_json(json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "order_id",
						(json_int_t)id, "status", s.order_status, "payment",
						s.payment_status, "total_amount", s.total_amount,
						"refunded_amount", s.refunded_amount, "currency",
						s.currency),
				      err);
	printf("order %" PRIu64 " is %s, payment %s", id, s.order_status, s.payment_status);
	if (is_above_zero(s.refunded_amount))
		printf(": %s of %s %s refunded", s.refunded_amount, s.total_amount, s.currency);
	printf("\n");
	return cli_flush(err);
}

static int run_cancel(const struct command_line *line, struct err *err)
{
	return change(line, SHOP_ORDER_CANCEL, NULL, err);
}

static int run_return(const struct command_line *line, struct err *err)
{
	_cleanup_(json_decrefp) json_t *lines = json_array();
	_cleanup_(mem_freep) char *text = NULL;
	int r = 0;

	for (int i = 1; i < line->argc && r == 0; i++)
		r = add_line(line->argv[i], NULL, lines, err);
	if (r < 0)
		return r;
	if (line->argc > 1)
		text = json_dumps(lines, JSON_COMPACT);
	return change(line, SHOP_ORDER_RETURN, text, err);
}

static int run_status(const struct command_line *line, struct err *err)
{
	return change(line, SHOP_ORDER_STATUS, line->argv[1], err);
}

static const struct command order_cancel = {
    .name = "cancel",
    .summary = "cancels an order that was not shipped; its pieces go back",
    .arguments = "ORDER",
    .min_args = 1,
    .max_args = 1,
    .run = run_cancel,
};

static const struct command order_return = {
    .name = "return",
    .summary = "takes pieces of a shipped order back, all when none are named",
    .arguments = "ORDER [PRODUCT[xQUANTITY]...]",
    .min_args = 1,
    .max_args = -1,
    .run = run_return,
};

static const struct command order_status = {
    .name = "status",
    .summary = "moves an order on: paid, shipped, delivered",
    .arguments = "ORDER STATUS",
    .min_args = 2,
    .max_args = 2,
    .run = run_status,
};

/* --- stress ---------------------------------------------------------------------------------- */

static void show_orders(void *arg, uint64_t orders)
{
	progress_update(arg, orders);
}

static int print_stress(const struct command_line *line, const struct shop_stress_result *s,
			struct err *err)
{
	double rate = s->seconds > 0 ? (double)s->orders / s->seconds : 0;

	if (line->json)
		return cli_print_json(
		    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}",
			      "initial", (json_int_t)s->initial, "sold", (json_int_t)s->sold,
			      "left", (json_int_t)s->left, "orders", (json_int_t)s->orders,
			      "refused", (json_int_t)s->refused, "retries", (json_int_t)s->retries,
			      "failed", (json_int_t)s->failed, "wrong", (json_int_t)s->wrong,
			      "seconds", s->seconds, "orders_per_second", rate, "p50_ms",
			      (double)s->p50_us / 1000, "p99_ms", (double)s->p99_us / 1000),
		    err);
	printf("%" PRIu64 " pieces = %" PRIu64 " sold + %" PRIu64 " left\n", s->initial, s->sold,
	       s->left);
	printf("%" PRIu64 " orders, %.0f a second; %" PRIu64 " refused, %" PRIu64
	       " attempts repeated\n",
	       s->orders, rate, s->refused, s->retries);
	printf("an order takes %.1f ms in the middle, %.1f ms at the 99th percentile\n",
	       (double)s->p50_us / 1000, (double)s->p99_us / 1000);
	return cli_flush(err);
}

/* A second signal ends the process: then what was made stays. */
static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
	(void)number;
	is_stopped = 1;
}

static void stop_on_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static unsigned number(const struct command_line *line, const char *name)
{
	return (unsigned)strtoul(command_text(line, name), NULL, 10);
}

static int run_stress(const struct command_line *line, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct shop_stress_options o = {.progress = show_orders,
					.is_stopped = &is_stopped,
					.keep = command_text(line, "keep") != NULL};
	struct shop_stress_result result;
	struct progress progress;
	struct err printed = {0};
	int r = endpoint_maria(line->config, ENDPOINT_ADMIN, &arena, &o.maria, err);

	if (r == 0 && !endpoint_is_embedded_maria(line->config))
		r = cli_ask(line,
			    command_text(line, "clean")
				? "This deletes what stress runs left in the shop. Go on?"
				: "This writes products, customers and orders into the shop, and "
				  "deletes them again. Go on?",
			    err);
	if (r < 0)
		return r;
	if (command_text(line, "clean"))
		return shop_order_stress_clean(&o.maria, err);
	o.arg = &progress;
	o.clients = number(line, "clients");
	o.seconds = number(line, "seconds");
	o.stock = number(line, "stock");
	o.products = number(line, "products");
	stop_on_signals();
	progress_start(&progress, "ordering", "orders", 0);
	r = shop_order_stress(&o, &result, err);
	progress_finish(&progress);
	if ((r == 0 || r == -ERR_DIFFERENT || r == -ERR_INTERRUPTED) &&
	    print_stress(line, &result, &printed) < 0 && r == 0) {
		*err = printed;
		return -(int)printed.code;
	}
	return r;
}

static const struct command_option stress_options[] = {
    {.name = "clients",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 1,
     .max = 512,
     .fallback = "64",
     .help = "at once, a connection each"},
    {.name = "seconds",
     .type = COMMAND_NUMBER,
     .argument = "S",
     .min = 1,
     .max = 86400,
     .fallback = "10",
     .help = "how long they order"},
    {.name = "stock",
     .type = COMMAND_NUMBER,
     .argument = "K",
     .min = 0,
     .max = 1000000000,
     .fallback = "500",
     .help = "pieces of each product"},
    {.name = "products",
     .type = COMMAND_NUMBER,
     .argument = "N",
     .min = 2,
     .max = 1000,
     .fallback = "20",
     .help = "that all of them want"},
    {.name = "keep", .type = COMMAND_FLAG, .help = "leave what was made"},
    {.name = "clean",
     .type = COMMAND_FLAG,
     .help = "only delete what was left by runs that were killed; none may run now"},
    CLI_OPTION_YES,
    {0},
};

static const struct command order_stress = {
    .name = "stress",
    .summary = "many clients order few products; nothing may be sold twice",
    .options = stress_options,
    .help =
	"Each order has two lines. Servers and connections may be killed meanwhile: clients come "
	"back and ask again with the same key. At the end what there was has to be what was sold "
	"and "
	"what is left.\n\n  aethermart order stress --clients 64 --seconds 60 --stock 500",
    .run = run_stress,
};

static const struct command *const order_children[] = {
    &order_place, &order_show, &order_status, &order_cancel, &order_return, &order_stress, NULL,
};

const struct command command_order = {
    .name = "order",
    .summary = "places, shows and changes orders",
    .children = order_children,
};
