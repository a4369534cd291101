/* Section "http" of the configuration. */
#include "http/http_server.h"

#include "base/banned.h"

const struct config_option http_options[] = {
    {.section = "http",
     .name = "listen",
     .type = CONFIG_TEXT,
     .fallback = "127.0.0.1",
     .help =
	 "The address on which \"aethermart serve\" answers HTTP requests, or \"localhost\". "
	 "Empty: only on the Unix socket in stack.dir. An address beyond this machine needs TLS, "
	 "or http.plaintext."},
    {.section = "http",
     .name = "port",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .help = "The port. 0 picks a free one and remembers it in http.port in stack.dir."},
    {.section = "http",
     .name = "metrics_open",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .help = "Whether /metrics is answered without a token."},
    {.section = "http",
     .name = "tls_cert",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "The certificate, PEM, with those of its authorities behind it: then TCP speaks TLS "
	     "1.2 and 1.3 only. Read at start."},
    {.section = "http",
     .name = "tls_key",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "Its private key, PEM, which its owner alone may read."},
    {.section = "http",
     .name = "plaintext",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .help = "Whether an address beyond this machine may be listened on without TLS: when a proxy "
	     "before it, or the network, encrypts."},
    {.section = "http",
     .name = "visitor",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .help = "Whether requests without a token are answered with what the role shop_visitor of "
	     "the rules of access may ask for: the public catalogue."},
    {.section = "http",
     .name = "rate",
     .type = CONFIG_TEXT,
     .fallback = "100/s",
     .help = "How many requests a token may make in a second (/s), minute (/m) or hour (/h), "
	     "unless it has a rate of its own."},
    {.section = "http",
     .name = "visitor_rate",
     .type = CONFIG_TEXT,
     .fallback = "20/s",
     .help = "The same of all visitors from one address; of IPv6, from one network of 64 bits."},
    {.section = "http",
     .name = "header_max",
     .type = CONFIG_SIZE,
     .fallback = "16K",
     .min = 4 << 10,
     .max = 1 << 20,
     .help = "The largest header of a request."},
    {.section = "http",
     .name = "body_max",
     .type = CONFIG_SIZE,
     .fallback = "1M",
     .min = 1 << 10,
     .max = 64 << 20,
     .help = "The largest body of a request. Routes that take none refuse every body."},
    {.section = "http",
     .name = "connections_max",
     .type = CONFIG_INT,
     .fallback = "256",
     .min = 8,
     .max = 65536,
     .help = "Connections at a time, for TCP and for the Unix socket each."},
    {.section = "http",
     .name = "connections_per_address",
     .type = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 65536,
     .help = "Connections at a time from one address."},
    {.section = "http",
     .name = "timeout",
     .type = CONFIG_DURATION,
     .fallback = "30s",
     .min = 1000,
     .max = 3600000,
     .help =
	 "A connection on which nothing moves for so long is closed, and so is one whose header "
	 "or body takes longer in all. The feed of changes sends a heartbeat every ten seconds."},
    {.section = "http",
     .name = "changes_kept",
     .type = CONFIG_INT,
     .fallback = "4096",
     .min = 16,
     .max = 1 << 20,
     .help = "How many changes a reader of the feed may fall behind before it misses some."},
    {0},
};

static int read_rate(const struct config *config, const char *name, struct token_rate *ret,
		     struct err *err)
{
	int r = token_parse_rate(str_from(config_text(config, name)), ret, err);

	return r < 0 ? err_context(err, "%s", name) : 0;
}

static int check_pair(const struct http_server_options *o, struct err *err)
{
	if (!o->tls_cert == !o->tls_key)
		return 0;
	return err_set(err, ERR_INVALID_ARGUMENT, "%s is set and %s is not: TLS needs both",
		       o->tls_cert ? "http.tls_cert" : "http.tls_key",
		       o->tls_cert ? "http.tls_key" : "http.tls_cert");
}

int http_server_options_read(const struct config *config, struct http_server_options *ret,
			     struct err *err)
{
	int r = read_rate(config, "http.rate", &ret->rate, err);

	if (r == 0)
		r = read_rate(config, "http.visitor_rate", &ret->visitor_rate, err);
	ret->tls_cert = config_text(config, "http.tls_cert");
	ret->tls_key = config_text(config, "http.tls_key");
	ret->is_plaintext_allowed = config_bool(config, "http.plaintext");
	ret->listen = config_text(config, "http.listen");
	ret->port = (uint16_t)config_int(config, "http.port");
	ret->is_metrics_open = config_bool(config, "http.metrics_open");
	ret->header_max = (size_t)config_int(config, "http.header_max");
	ret->body_max = (size_t)config_int(config, "http.body_max");
	ret->connections_max = (unsigned)config_int(config, "http.connections_max");
	ret->connections_per_address = (unsigned)config_int(config, "http.connections_per_address");
	ret->timeout_s = (unsigned)((config_int(config, "http.timeout") + 999) / 1000);
	ret->changes_kept = (unsigned)config_int(config, "http.changes_kept");
	return r < 0 ? r : check_pair(ret, err);
}
