/*
 * `aethermart serve`: the worker. It owns all live state: the sync engine on this thread, the HTTP
 * server beside it. SIGTERM and SIGINT finish the batches in hand and release the lease.
 */
#include "cli/cli_govern.h"
#include "cli/cli_index.h"
#include "cli/cli_keeper.h"
#include "cli/cli_lineage_stream.h"
#include "cli/cli_quality.h"
#include "cli/cli_seen.h"

#include "base/clock.h"
#include "base/logger.h"
#include "cluster/stack.h"
#include "govern/quality_stream.h"
#include "govern/token.h"
#include "http/http_server.h"
#include "search/search_engine.h"
#include "search/search_orders.h"
#include "search/search_verify.h"
#include "shop/order_desk.h"
#include "sync/sync.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define HTTP_STOP_S  5
#define VISITOR_ROLE "shop_visitor"

/* For the signal handler, which may only store into an atomic of the engine. */
static struct sync_engine *volatile serving;
static volatile sig_atomic_t is_ending;

static void on_signal(int number)
{
	(void)number;
	is_ending = 1;
	if (serving)
		sync_engine_stop(serving);
}

void cli_stop_on_signals(struct sync_engine *engine)
{
	struct sigaction action = {.sa_handler = on_signal};

	serving = engine;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

int cli_open_engine(const struct command_line *line, const struct sync_engine_options *extra,
		    struct cli_engine *ret, struct err *err)
{
	struct sync_engine_options options = *extra;
	int r = endpoint_maria(line->config, ENDPOINT_SYNC, &ret->arena, &ret->maria, err);

	if (r == 0)
		r = endpoint_mongo(line->config, ENDPOINT_SYNC, &ret->arena, &ret->mongo, err);
	if (r < 0)
		return r;
	options.config = line->config;
	options.maria = &ret->maria;
	options.mongo = &ret->mongo;
	options.mapping_dir = cli_mapping_dir(line, &ret->arena);
	return sync_engine_new(&options, &ret->engine, err);
}

void cli_close_engine(struct cli_engine *e)
{
	serving = NULL;
	e->engine = sync_engine_free(e->engine);
	arena_done(&e->arena);
}

struct serve {
	struct cli_engine engine;
	_Atomic(struct http_server *) http; /* requests are answered before it is known here */
	const char *listen, *scheme;
	struct search_engine *search;
	struct maria_pool *orders;
	struct quality_stream *quality;
	struct cli_lineage_stream *lineage;
	struct access *access; /* what roles may ask for */
	struct maria_pool *tokens;
	struct http_guest visitor;
};

/* Not any more once it ends, though the batches in hand may take a while. */
static bool is_ready(void *arg)
{
	struct serve *s = arg;

	return !is_ending && sync_engine_is_ready(s->engine.engine);
}

static void status(void *arg, struct strbuf *json)
{
	struct serve *s = arg;

	struct http_server *http = atomic_load(&s->http);

	sync_engine_status(s->engine.engine, json);
	if (!http)
		return;
	strbuf_truncate(json, json->len - 1); /* another member of the object */
	strbuf_addf(json, ",\"http\":\"%s://%s:%u\"}", s->scheme, s->listen,
		    http_server_port(http));
}

static void offer(void *arg, const struct mapping *m, const struct mapping_document *documents,
		  size_t n, uint64_t version)
{
	struct serve *s = arg;

	if (s->search)
		search_engine_offer(s->search, m, documents, n, version);
}

static void judge(void *arg, const struct mapping *m, const struct mapping_document *documents,
		  size_t n)
{
	struct serve *s = arg;

	if (s->quality)
		quality_stream_judge(s->quality, m, documents, n);
}

/* A line of the feed. Called by workers for each change; nobody may be listening. */
static void publish(void *arg, const struct sync_change *change)
{
	struct serve *s = arg;
	struct strbuf b = STRBUF_INIT(HTTP_CHANGE_MAX);
	char when[CLOCK_TEXT_SIZE];
	struct http_server *http = atomic_load(&s->http);

	cli_lineage_stream_count(s->lineage, change);
	if (s->search)
		search_engine_wake(s->search);
	if (!http || !http_server_readers(http))
		return;
	strbuf_addf(&b, "{\"time\":\"%s\",\"collection\":\"%s\",\"key\":",
		    clock_format(change->applied_us, when), change->collection);
	strbuf_add_json(&b, change->key.data, change->key.len);
	strbuf_addf(&b, ",\"operation\":\"%s\",\"lag_ms\":%.3f}", change->operation,
		    (double)change->lag_us / 1000);
	if (!b.overflow)
		http_server_publish_change(http, strbuf_str(&b));
	strbuf_done(&b);
}

/* --- the index ------------------------------------------------------------------------------- */

static void index_status(void *arg, struct strbuf *json)
{
	struct serve *s = arg;

	search_engine_status(s->search, json);
}

static int index_rebuild(void *arg, const char *collection, struct err *err)
{
	struct serve *s = arg;

	int r = search_engine_rebuild(s->search, collection, err);

	if (r == 0)
		cli_lineage_stream_rebuild(s->lineage, collection);
	return r;
}

static int index_forget(void *arg, struct err *err)
{
	struct serve *s = arg;

	return search_engine_forget(s->search, err);
}

static int index_query(void *arg, const struct http_index_query *q, struct strbuf *json,
		       struct err *err)
{
	struct serve *s = arg;
	bool is_personal = true; /* unless it is known not to be */
	int r = search_engine_query(s->search, q->collection, str_from(q->text), (size_t)q->k, json,
				    err);

	(void)!search_engine_is_personal(s->search, q->collection, &is_personal, NULL);
	return r < 0 || !is_personal ? r
				     : cli_seen_hits(s->tokens, q->guest,
						     &(struct audit_event){.action = "http.query",
									   .object = q->collection},
						     NULL, json, err);
}

static int index_inventory(void *arg, const struct http_index_query *q, struct strbuf *json,
			   struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct serve *s = arg;
	struct str *keys = arena_alloc(&arena, (q->keys.n + 1) * sizeof(*keys));

	for (size_t i = 0; i < q->keys.n; i++) {
		if (!search_verify_read_key(str_from(q->keys.items[i]), &arena, &keys[i]))
			return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no key in hexadecimal",
				       q->keys.items[i]);
	}
	return search_engine_inventory(s->search,
				       &(struct search_inventory){.collection = q->collection,
								  .n_keys = q->keys.n,
								  .keys = keys,
								  .from = (uint32_t)q->from},
				       json, err);
}

static int ask_search(struct serve *s, const struct http_search *q, struct search_matched *matched,
		      struct strbuf *json, struct err *err)
{
	struct search_request request = {
	    .matched = matched,
	    .in = q->in,
	    .query = str_from(q->q),
	    .mode = q->mode,
	    .fusion = q->fusion,
	    .filters = q->filters.items,
	    .n_filters = q->filters.n,
	    .facets = q->facets.n ? q->facets.items : NULL,
	    .n_facets = q->facets.n,
	    .sort = q->sort,
	    .limit = (size_t)q->limit,
	    .offset = (size_t)q->offset,
	    .explains = q->explains,
	    .is_literal = q->is_literal,
	    .collapses = q->collapses,
	};

	for (size_t i = 0; i < q->without.n; i++)
		request.without |= 1U << q->without.items[i];
	return search_engine_search(s->search, &request, json, q->wrong, err);
}

static int ask_similar(struct serve *s, const struct http_search *q, struct strbuf *json,
		       struct err *err)
{
	struct search_like like = {.in = q->in, .key = str_from(q->id), .limit = (size_t)q->limit};

	return search_engine_similar(s->search, &like, json, q->wrong, err);
}

static int ask_suggest(struct serve *s, const struct http_search *q, struct strbuf *json,
		       struct err *err)
{
	struct search_suggest suggest = {.in = "products",
					 .typed = str_from(q->q),
					 .document = "product",
					 .limit = (size_t)q->limit};

	return search_engine_suggest(s->search, &suggest, json, err);
}

static int ask_recommend(struct serve *s, const struct http_search *q, struct strbuf *json,
			 struct err *err)
{
	struct search_wish wish = {
	    .in = "products",
	    .customer = str_from(q->customer),
	    .product = str_from(q->product),
	    .before = q->before ? (uint64_t)q->before : SEARCH_ORDERS_ALL,
	    .limit = (size_t)q->limit,
	};

	return search_engine_recommend(s->search, &wish, json, err);
}

/* A second lock behind the right to ask: what is personal by the classes of the mappings is not
 * even looked in for who does not see it plain, whatever the rules of the search show. */
static int check_clearance(struct serve *s, const struct http_search *q, bool *ret_is_personal,
			   struct err *err)
{
	int r =
	    search_engine_is_personal(s->search, q->in ? q->in : "products", ret_is_personal, err);

	if (r < 0 || q->guest->sees_personal || !*ret_is_personal)
		return r;
	return err_set(err, ERR_PERMISSION, "the role of this token may not see what is in there");
}

static int answer_search(struct serve *s, const struct http_search *q,
			 struct search_matched *matched, struct strbuf *json, struct err *err)
{
	switch (q->kind) {
	case HTTP_SEARCH:
		return ask_search(s, q, matched, json, err);
	case HTTP_PRODUCT:
		return search_engine_document(s->search, "products", str_from(q->id), json, err);
	case HTTP_SIMILAR:
		return ask_similar(s, q, json, err);
	case HTTP_SUGGEST:
		return ask_suggest(s, q, json, err);
	case HTTP_RECOMMEND:
		return ask_recommend(s, q, json, err);
	}
	return err_set(err, ERR_INTERNAL, "a question of an unknown kind");
}

static int search(void *arg, const struct http_search *q, struct strbuf *json, struct err *err)
{
	_cleanup_(arena_done) struct arena arena = {0};
	struct search_matched matched = {.max = CLI_SEEN_MAX, .arena = &arena};
	struct audit_event event = {.action =
					q->kind == HTTP_SIMILAR ? "http.similar" : "http.search",
				    .object = q->in ? q->in : "products"};
	struct serve *s = arg;
	bool is_personal = true;
	int r = check_clearance(s, q, &is_personal, err);

	if (r == 0)
		r = answer_search(s, q, is_personal ? &matched : NULL, json, err);
	if (r < 0)
		return r;
	if (q->kind == HTTP_RECOMMEND && q->customer)
		return cli_seen_customer(s->tokens, q->guest, "http.recommend", q->customer, json,
					 err);
	return is_personal ? cli_seen_hits(s->tokens, q->guest, &event, &matched, json, err) : 0;
}

static int place_order(void *arg, const struct http_order *order, struct strbuf *json,
		       struct err *err)
{
	struct serve *s = arg;
	_cleanup_(arena_done) struct arena arena = {0};
	struct shop_order_request request = {0};
	int r = shop_order_desk_read(order->body, &arena, &request, err);

	if (r == 0 && order->customer && request.customer_id != order->customer)
		r = err_set(err, ERR_PERMISSION, "\"customer_id\" is another customer");
	if (r == 0)
		r = cli_seen_order(s->tokens, order->guest, request.customer_id, err);
	request.key = order->key;
	return r < 0 ? r : shop_order_desk_place(s->orders, &request, json, err);
}

/* --- who asks -------------------------------------------------------------------------------- */

/* A token of a role that the file does not know any more opens nothing. */
static int find_token(void *arg, struct str token, struct http_guest *ret, struct err *err)
{
	struct serve *s = arg;
	const struct access_role *role;
	struct token_found found;
	int r = token_keeper_find(s->tokens, token, &found, err);

	if (r < 0)
		return r;
	role = access_find_role(s->access, found.role);
	if (!role)
		return err_set(err, ERR_PERMISSION, "its role is gone");
	*ret = (struct http_guest){.rights = role->http,
				   .sees_personal = role->clearance->is_full,
				   .customer = found.customer,
				   .rate = found.rate,
				   .left_us = found.left_us};
	memcpy(ret->id, found.id, sizeof(found.id));
	memcpy(ret->role, found.role, sizeof(found.role));
	memcpy(ret->name, found.name, sizeof(found.name));
	return 0;
}

static int tell_tries(void *arg, const char *address, uint64_t tries, struct err *err)
{
	struct serve *s = arg;

	return token_keeper_tried(s->tokens, address, tries, err);
}

/* Rights are those of the file as it is now: a change counts from the next start. */
static int start_door(const struct command_line *line, struct serve *s,
		      struct http_server_options *http, struct err *err)
{
	const struct access_role *role;
	int r = access_load(cli_access_rules(line, &s->engine.arena), &s->access, err);

	if (r < 0)
		return r;
	s->tokens = token_keeper_connections(&s->engine.maria);
	http->find_token = find_token;
	http->tell_tries = tell_tries;
	if (!config_bool(line->config, "http.visitor"))
		return 0;
	role = access_find_role(s->access, VISITOR_ROLE);
	if (!role)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "http.visitor: the rules of access have no role \"" VISITOR_ROLE
			       "\"");
	s->visitor = (struct http_guest){.rights = role->http & ACCESS_HTTP_CATALOGUE};
	http->visitor = &s->visitor;
	return 0;
}

/* In the run-time folder, which is known to be ours. */
static void start_index(const struct command_line *line, struct serve *s,
			struct http_server_options *http)
{
	struct arena *arena = &s->engine.arena;
	struct search_engine_options options = {
	    .config = line->config,
	    .maria = &s->engine.maria,
	    .mapping_dir = cli_mapping_dir(line, arena),
	    .rules_path = cli_index_rules_path(line, arena),
	    .synonyms_path = cli_index_synonyms_path(line, arena),
	    .dir = arena_printf(arena, "%s/index", http->dir),
	    .id_path = arena_printf(arena, "%s/index.id", http->dir),
	};

	s->search = search_engine_start(&options);
	if (!config_bool(line->config, "index.enabled"))
		return;
	http->index_status = index_status;
	http->index_rebuild = index_rebuild;
	http->index_forget = index_forget;
	http->index_query = index_query;
	http->index_inventory = index_inventory;
	http->search = search;
}

/* Checks that cannot be read hold up no change: they are told, and nothing is judged. */
static void start_quality(const struct command_line *line, struct serve *s)
{
	const char *dir = cli_quality_rules(line, &s->engine.arena);
	struct quality_checks *checks = NULL;
	struct err err = {0};

	if (!config_bool(line->config, "quality.stream"))
		return;
	if (quality_load(dir, &checks, &err) < 0)
		logger_error(LOGGER_ERROR, "quality", "documents are not judged", &err);
	else
		s->quality = quality_stream_start(checks, &s->engine.maria);
}

static void start_lineage(const struct command_line *line, struct serve *s,
			  const struct http_server_options *http)
{
	const struct cli_lineage_stream_options options = {.index_status = http->index_status,
							   .arg = s};

	s->lineage = cli_lineage_stream_new(line, &options);
}

/* Who hangs must not keep the worker from ending: what is on disk is safe. */
static void end_now(const char *component, const char *why, int r, const struct err *err)
{
	if (r < 0)
		logger_error(LOGGER_ERROR, "serve", "ended", err);
	logger_event(LOGGER_WARN, component, why, NULL);
	_exit(err_exit_status(r));
}

static void end_without_provider(int r, const struct err *err)
{
	end_now("index", "a provider still does not answer; ending without it", r, err);
}

static void stop_index(struct serve *s, int r, const struct err *err)
{
	if (!search_engine_stop(s->search))
		end_without_provider(r, err);
}

static void *stop_http_main(void *server)
{
	(void)http_server_stop(server);
	return NULL;
}

/* Answers in hand are waited for, and a query's may wait for a provider. */
static void stop_http(struct http_server *server, int r, const struct err *err)
{
	struct timespec until;
	pthread_t thread;

	bug_if(pthread_create(&thread, NULL, stop_http_main, server) != 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HTTP_STOP_S;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		end_without_provider(r, err);
}

static int run_serve(const struct command_line *line, struct err *err)
{
	struct serve serve = {0};
	struct sync_engine_options options = {.on_change = publish,
					      .on_change_arg = &serve,
					      .on_read = offer,
					      .on_read_arg = &serve,
					      .on_written = judge,
					      .on_written_arg = &serve};
	struct http_server_options http = {0};
	struct http_server *server = NULL;
	struct cli_keeper *keeper = NULL;
	bool is_kept;
	int r = cli_open_engine(line, &options, &serve.engine, err);

	if (r == 0) {
		r = http_server_options_read(line->config, &http, err);
		serve.listen = http.listen;
		serve.scheme = http.tls_cert ? "https" : "http";
		http.dir = endpoint_var_dir(line->config, &serve.engine.arena);
		http.socket_path = endpoint_socket_path(line->config, &serve.engine.arena);
		http.is_ready = is_ready;
		http.status = status;
		http.place_order = place_order;
		serve.orders = shop_order_desk_connections(&serve.engine.maria);
		http.arg = &serve;
		http.stands_by = true;
	}
	if (r == 0)
		r = start_door(line, &serve, &http, err);
	if (r == 0)
		r = stack_prepare_socket(line->config, err);
	if (r == 0) {
		start_index(line, &serve, &http);
		start_quality(line, &serve);
		start_lineage(line, &serve, &http);
	}
	if (r == 0) {
		r = http_server_start(&http, &server, err);
		atomic_store(&serve.http, server);
	}
	if (r == 0) {
		cli_stop_on_signals(serve.engine.engine);
		keeper = cli_keeper_start(line, &serve.engine.maria);
		logger_event(LOGGER_INFO, "serve", "started", NULL);
		r = sync_engine_run(serve.engine.engine, err);
		logger_event(LOGGER_INFO, "serve", "stopped", NULL);
	}
	atomic_store(&serve.http, NULL);
	stop_http(server, r, err);
	is_kept = !cli_keeper_stop(keeper);
	is_kept |= !cli_lineage_stream_stop(serve.lineage);
	if (is_kept) /* what is closed below may be in use */
		end_now("serve", "the server does not answer; ending without it", r, err);
	serve.orders = maria_pool_free(serve.orders);
	quality_stream_stop(serve.quality);
	serve.tokens = maria_pool_free(serve.tokens);
	serve.access = access_free(serve.access);
	stop_index(&serve, r, err);
	cli_close_engine(&serve.engine);
	return r;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "runs the worker: sync engine and HTTP API",
    .help = "Runs in the foreground until SIGTERM or SIGINT, which finish what is in hand.\n"
	    "`aethermart up` starts it in the background. A second one stands by and takes\n"
	    "over when the first one dies.\n",
    .run = run_serve,
    .is_service = true,
};
