/*
 * A remote provider: settings, batches, the two forms of a request. See embed_remote_int.h.
 *
 * What may be sent where is decided here, once, at opening. Texts go to embed.endpoint or, when it
 * is unset, to the vendor; unencrypted only to this machine, unless embed.plain_http is set. The
 * key in embed.api_key or embed.api_key_file belongs to the endpoint that the same person
 * configured. The key of a vendor's environment variable was set by somebody for that vendor: it
 * goes to hosts of the vendor's domain and to this machine (where a proxy of the user's may stand),
 * never to a third party.
 *
 * Such a provider counts as remote also when its endpoint is this machine: what listens there may
 * hand the texts on, and we cannot know.
 */
#include "embed/embed_remote_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <math.h>
#include <sodium.h>

#include "base/banned.h"

#define KEY_MAX		  4096		     /* longer than any key, shorter than a header may be */
#define NUMBER_BYTES_MAX  48		     /* a number in an answer with its indentation */
#define NUMBERS_BYTES_MAX ((size_t)64 << 20) /* of one answer: batches are smaller when need be */
#define ANSWER_REST_MAX	  ((size_t)256 << 10) /* and room to see that a vector is too long */
#define REQUEST_TEXT_MAX  ((size_t)256 << 10) /* of one request: OpenAI takes 300,000 tokens */

/* --- endpoint -------------------------------------------------------------------------------- */

static bool is_loopback_host(const char *host)
{
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || cstr_equal(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool embed_host_is_of(const char *host, const char *domain)
{
	size_t len = strlen(host), tail = strlen(domain);

	if (len < tail || strcasecmp(host + len - tail, domain) != 0)
		return false;
	return len == tail || host[len - tail - 1] == '.';
}

/* The part's text in the arena, or NULL when the URL has none. */
static const char *url_part(CURLU *u, CURLUPart part, struct arena *arena)
{
	char *text = NULL;
	const char *copy;

	if (curl_url_get(u, part, &text, 0) != CURLUE_OK)
		return NULL;
	copy = arena_strdup(arena, text);
	curl_free(text);
	return copy;
}

static int wrong_endpoint(const char *why, struct err *err)
{
	(void)err_set(err, ERR_INVALID_ARGUMENT, "embed.endpoint %s", why);
	(void)err_hint(err, "write https://host[:port][/path], or http:// for this machine");
	return -ERR_INVALID_ARGUMENT;
}

static void urlp_cleanup(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* What a URL may have that an endpoint must not. */
static const char *wrong_part(CURLU *u, struct arena *arena)
{
	const char *scheme = url_part(u, CURLUPART_SCHEME, arena);

	if (!scheme || !url_part(u, CURLUPART_HOST, arena) ||
	    (!cstr_equal(scheme, "https") && !cstr_equal(scheme, "http")))
		return "is neither https:// nor http://";
	if (url_part(u, CURLUPART_USER, arena) || url_part(u, CURLUPART_PASSWORD, arena))
		return "holds a user: keys belong into embed.api_key_file";
	if (url_part(u, CURLUPART_QUERY, arena) || url_part(u, CURLUPART_FRAGMENT, arena))
		return "has something behind \"?\" or \"#\"";
	return NULL;
}

int embed_endpoint_parse(const char *url, struct arena *arena, struct embed_endpoint *ret,
			 struct err *err)
{
	_cleanup_(urlp_cleanup) CURLU *u = curl_url();
	const char *scheme, *port, *path, *wrong;
	size_t len;

	bug_if(!u);
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
		return wrong_endpoint("is no URL", err);
	wrong = wrong_part(u, arena);
	if (wrong)
		return wrong_endpoint(wrong, err);
	scheme = url_part(u, CURLUPART_SCHEME, arena);
	port = url_part(u, CURLUPART_PORT, arena);
	path = url_part(u, CURLUPART_PATH, arena);
	len = path ? strlen(path) : 0;
	while (len && path[len - 1] == '/')
		len--;
	ret->host = url_part(u, CURLUPART_HOST, arena);
	ret->base = arena_printf(arena, "%s://%s%s%s%.*s", scheme, ret->host, port ? ":" : "",
				 port ? port : "", (int)len, path ? path : "");
	ret->has_path = len > 0;
	ret->is_loopback = is_loopback_host(ret->host);
	ret->is_plain = cstr_equal(scheme, "http");
	return 0;
}

static int read_endpoint(const struct config *config, const struct embed_dialect *d,
			 struct arena *arena, struct embed_endpoint *ret, struct err *err)
{
	const char *url = config_text(config, "embed.endpoint");
	int r = embed_endpoint_parse(url ? url : d->endpoint, arena, ret, err);

	if (r < 0)
		return r;
	if (!ret->is_plain || ret->is_loopback || config_bool(config, "embed.plain_http"))
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT,
		      "embed.endpoint \"%s\" is not encrypted and not on this machine", ret->base);
	return err_hint(err, "use https://, or set embed.plain_http when texts and key may cross "
			     "that network for all to read");
}

/* --- key ------------------------------------------------------------------------------------- */

static int read_key_file(const char *path, struct strbuf *b, struct err *err)
{
	int r = file_read(path, b, err);

	if (r < 0)
		return err_context(err, "reading embed.api_key_file");
	strbuf_truncate(b, strcspn(strbuf_str(b), "\r\n"));
	if (b->len == 0)
		return err_set(err, ERR_INVALID_ARGUMENT, "embed.api_key_file \"%s\" is empty",
			       path);
	return 0;
}

/* A key goes into a header: what could end it is refused. The key itself is not told. */
static int check_key(const struct strbuf *b, struct err *err)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] <= ' ' || b->data[i] > '~')
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "the key for embeddings has a character in it that no key "
				       "has, at position %zu",
				       i + 1);
	return 0;
}

static int no_key(const struct embed_dialect *d, const struct embed_endpoint *e, bool is_withheld,
		  struct err *err)
{
	(void)err_set(err, ERR_INVALID_ARGUMENT, "there is no key for %s at \"%s\"", d->name,
		      e->base);
	if (is_withheld)
		return err_hint(err,
				"%s is sent to hosts of %s and to this machine only: set "
				"embed.api_key_file, or EMBED_API_KEY in the environment",
				d->key_environment, d->domain);
	return err_hint(err, "set %s in the environment, or embed.api_key_file",
			d->key_environment);
}

/* Appends the key; nothing when there is none and none is needed. */
static int read_key(const struct config *config, const struct embed_dialect *d,
		    const struct embed_endpoint *e, struct strbuf *b, struct err *err)
{
	const char *key = config_text(config, "embed.api_key");
	const char *path = config_text(config, "embed.api_key_file");
	const char *vendor_key = config_text(config, d->key_option);
	bool is_vendor = embed_host_is_of(e->host, d->domain);
	int r;

	if (!key && path) {
		r = read_key_file(path, b, err);
		return r < 0 ? r : check_key(b, err);
	}
	if (!key && (is_vendor || e->is_loopback))
		key = vendor_key;
	if (!key)
		return d->needs_key || is_vendor ? no_key(d, e, vendor_key != NULL, err) : 0;
	strbuf_addstr(b, key);
	return check_key(b, err);
}

static void forget_key(struct strbuf *b)
{
	if (b->data)
		sodium_memzero(b->data, b->cap);
	strbuf_done(b);
}

/* --- model ----------------------------------------------------------------------------------- */

static unsigned known_dimension(const struct embed_dialect *d, const char *model)
{
	size_t len = strlen(model);
	const char *tag = strchr(model, ':');

	if (tag && cstr_equal(tag, ":latest")) /* as Ollama shows it */
		len = (size_t)(tag - model);
	for (const struct embed_model *m = d->models; m->name; m++)
		if (str_equal(str_from(m->name), (struct str){model, len}))
			return m->dimension;
	return 0;
}

static int check_model(const struct embed_dialect *d, const char *model, struct err *err)
{
	if (!model || !model[0]) {
		(void)err_set(err, ERR_INVALID_ARGUMENT, "embed.model is unset");
		return err_hint(err, "embed.provider %s needs to be told which, for example %s",
				d->name, d->models[0].name);
	}
	for (const char *s = model; *s; s++)
		if (*s <= ' ' || *s > '~')
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "embed.model has a character in it that no name has");
	return d->check_model ? d->check_model(model, err) : 0;
}

static int read_model(const struct config *config, struct embed_remote *r, struct err *err)
{
	const char *model = config_text(config, "embed.model");
	unsigned asked = (unsigned)config_int(config, "embed.dimension"), own;
	int rc = check_model(r->dialect, model, err);

	if (rc < 0)
		return rc;
	own = known_dimension(r->dialect, model);
	r->model = arena_strdup(&r->arena, model);
	r->dimension = asked ? asked : own;
	r->asks_dimension = r->dimension != own;
	if (r->dimension)
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT, "the dimension of \"%s\" is not known here",
		      model);
	(void)err_hint(err, "set embed.dimension to what the model's card says");
	return -ERR_INVALID_ARGUMENT;
}

/* --- answers --------------------------------------------------------------------------------- */

int embed_vector_read(const json_t *array, unsigned dimension, float *ret, struct err *err)
{
	if (!json_is_array(array))
		return err_set(err, ERR_CORRUPTED, "no list of numbers");
	if (json_array_size(array) != dimension) {
		(void)err_set(err, ERR_CORRUPTED, "%zu numbers instead of %u",
			      json_array_size(array), dimension);
		return err_hint(err, "if that is the model's dimension, set embed.dimension to it");
	}
	for (unsigned i = 0; i < dimension; i++) {
		const json_t *number = json_array_get(array, i);
		float f = (float)json_number_value(number);

		if (!json_is_number(number) || !isfinite(f))
			return err_set(err, ERR_CORRUPTED, "position %u holds no finite number", i);
		ret[i] = f;
	}
	return 0;
}

int embed_remote_read(const struct embed_remote *r, struct str answer, size_t n, float *ret,
		      struct err *err)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	json_error_t e;

	root = json_loadb(answer.data ? answer.data : "", answer.len, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		return err_set(err, ERR_CORRUPTED, "no JSON (line %d, column %d)", e.line,
			       e.column);
	return r->dialect->read_answer(r, root, n, ret, err);
}

/* --- batches --------------------------------------------------------------------------------- */

struct str embed_text_cut(struct str text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max && ((unsigned char)text.data[max] & 0xC0) == 0x80)
		max--;
	return (struct str){text.data, max};
}

struct call {
	const struct embed_remote *r;
	enum embed_task task;
	bool is_plain;
	struct str *texts; /* cut */
	size_t *starts;	   /* of each request, and the end */
	float *ret;
};

static void write_request(void *arg, size_t i, struct strbuf *body)
{
	const struct call *c = arg;

	c->r->dialect->add_body(c->r, c->is_plain, c->task, c->texts + c->starts[i],
				c->starts[i + 1] - c->starts[i], body);
}

static int read_answer(void *arg, size_t i, struct str answer, struct err *err)
{
	const struct call *c = arg;

	return embed_remote_read(c->r, answer, c->starts[i + 1] - c->starts[i],
				 c->ret + c->starts[i] * c->r->dimension, err);
}

static bool is_quoted(void *arg, size_t i, const struct embed_failure *f)
{
	const struct call *c = arg;

	for (size_t k = c->starts[i]; k < c->starts[i + 1]; k++)
		if (embed_failure_quotes(f, c->texts[k]))
			return true;
	return false;
}

/* Requests of at most `batch` texts and REQUEST_TEXT_MAX bytes, one text at least. */
static size_t split(struct call *c, size_t n, size_t batch)
{
	size_t requests = 0, bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_full = requests && (i - c->starts[requests - 1] == batch ||
					    bytes + c->texts[i].len > REQUEST_TEXT_MAX);

		if (requests == 0 || is_full) {
			c->starts[requests++] = i;
			bytes = 0;
		}
		bytes += c->texts[i].len;
	}
	c->starts[requests] = n;
	return requests;
}

static int run(struct call *c, size_t n, struct embed_failure *failure, struct err *err)
{
	const struct embed_remote *r = c->r;
	_cleanup_(strbuf_done) struct strbuf url = STRBUF_INIT(0);
	size_t batch = c->is_plain && r->dialect->is_plain_single ? 1 : r->batch;
	struct embed_http_work work = {
	    .n = split(c, n, batch),
	    .answer_max =
		2 * (batch < n ? batch : n) * r->dimension * NUMBER_BYTES_MAX + ANSWER_REST_MAX,
	    .timeout_ms = c->task == EMBED_QUERY ? r->query_timeout_ms : 0,
	    .arg = c,
	    .write = write_request,
	    .read = read_answer,
	    .is_quoted = is_quoted,
	};

	r->dialect->add_url(r, c->is_plain, &url);
	work.url = strbuf_str(&url);
	return embed_http_run(r->http, &work, failure, err);
}

static int remote_embed(struct embed_provider *self, enum embed_task task, const struct str *texts,
			size_t n, float *ret, struct err *err)
{
	struct embed_remote *r = (struct embed_remote *)(void *)self;
	_cleanup_(mem_freep) struct str *cut = mem_alloc_array(n, sizeof(*cut));
	_cleanup_(mem_freep) size_t *starts = mem_alloc_array(n + 1, sizeof(*starts));
	struct call c = {.r = r, .task = task, .texts = cut, .starts = starts, .ret = ret};
	struct embed_failure failure = {.wait_ms = -1};
	int rc;

	/* An empty text has a vector with the local model; the APIs refuse it, a space they take.
	 */
	for (size_t i = 0; i < n; i++)
		cut[i] = texts[i].len ? embed_text_cut(texts[i], r->text_max) : str_from(" ");
	c.is_plain = atomic_load(&r->is_plain) || (n == 1 && r->dialect->is_plain_single);
	rc = run(&c, n, &failure, err);
	if (rc == 0 || c.is_plain || !r->dialect->is_form_refused(r, &failure))
		return rc;
	c.is_plain = true;
	rc = run(&c, n, &failure, err);
	if (rc == 0) {
		err_clear(err);
		atomic_store(&r->is_plain, true);
	}
	return rc;
}

/* --- life ------------------------------------------------------------------------------------ */

static void remote_free(struct embed_provider *self)
{
	struct embed_remote *r = (struct embed_remote *)(void *)self;

	embed_http_free(r->http);
	arena_done(&r->arena);
	mem_free(r);
}

static void open_http(const struct config *config, struct embed_remote *r,
		      const struct embed_endpoint *e, const struct strbuf *key)
{
	struct strbuf header = STRBUF_INIT(0);
	struct embed_http_options o = {
	    .who = arena_printf(&r->arena, "%s at \"%s\"", r->dialect->name, e->base),
	    .tls_ca = config_text(config, "embed.tls_ca"),
	    .is_loopback = e->is_loopback,
	    .is_plain = e->is_plain,
	    .parallel = (unsigned)config_int(config, "embed.parallel"),
	    .retries = (unsigned)config_int(config, "embed.retries"),
	    .timeout_ms = config_int(config, "embed.timeout"),
	};

	if (key->len) {
		strbuf_addf(&header, "%s%s", r->dialect->key_header, strbuf_str(key));
		o.key_header = strbuf_str(&header);
	}
	r->query_timeout_ms = config_int(config, "embed.query_timeout");
	r->http = embed_http_new(&o);
	forget_key(&header);
}

static void describe(struct embed_remote *r)
{
	const char *space = arena_printf(&r->arena, "%s/%s", r->dialect->name, r->model);
	struct embedder_info info = {
	    .provider = r->dialect->name,
	    .model = space,
	    .dimension = r->dimension,
	    .is_remote = true,
	    .endpoint = r->base,
	};

	r->provider = (struct embed_provider){info, remote_embed, remote_free};
}

static int open_parts(const struct config *config, struct embed_remote *r, struct strbuf *key,
		      struct err *err)
{
	struct embed_endpoint endpoint = {0};
	size_t batch = (size_t)config_int(config, "embed.batch"), most;
	int rc = read_model(config, r, err);

	if (rc == 0)
		rc = read_endpoint(config, r->dialect, &r->arena, &endpoint, err);
	if (rc == 0)
		rc = read_key(config, r->dialect, &endpoint, key, err);
	if (rc < 0)
		return rc;
	r->base = endpoint.base;
	r->has_path = endpoint.has_path;
	most = NUMBERS_BYTES_MAX / NUMBER_BYTES_MAX / r->dimension;
	if (most > r->dialect->batch_max)
		most = r->dialect->batch_max;
	batch = batch ? batch : r->dialect->batch;
	r->batch = (unsigned)(batch < most ? batch : most);
	r->text_max = (size_t)config_int(config, "embed.text_max");
	open_http(config, r, &endpoint, key);
	describe(r);
	return 0;
}

int embed_remote_open(const struct config *config, const struct embed_dialect *dialect,
		      struct embed_provider **ret, struct err *err)
{
	struct embed_remote *r = MEM_NEW(struct embed_remote);
	struct strbuf key = STRBUF_INIT(KEY_MAX);
	int rc;

	r->dialect = dialect;
	rc = open_parts(config, r, &key, err);
	forget_key(&key);
	if (rc < 0)
		remote_free(&r->provider);
	else
		*ret = &r->provider;
	return rc;
}
