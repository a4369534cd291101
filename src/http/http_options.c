/* Section "http" of the configuration. */
#include "http/http_server.h"

#include "base/banned.h"

const struct config_option http_options[] = {
    {.section = "http",
     .name = "listen",
     .type = CONFIG_TEXT,
     .fallback = "127.0.0.1",
     .help = "The address on which \"aethermart serve\" answers HTTP requests, or \"localhost\". "
	     "Empty: only on the Unix socket in stack.dir. There is no TLS: put a proxy before any "
	     "address but loopback."},
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
     .help = "Whether /metrics is answered without the token."},
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
     .help = "A connection on which nothing moves for so long is closed. The feed of changes sends "
	     "a heartbeat every ten seconds."},
    {.section = "http",
     .name = "changes_kept",
     .type = CONFIG_INT,
     .fallback = "4096",
     .min = 16,
     .max = 1 << 20,
     .help = "How many changes a reader of the feed may fall behind before it misses some."},
    {0},
};

void http_server_options_read(const struct config *config, struct http_server_options *ret)
{
	ret->listen = config_text(config, "http.listen");
	ret->port = (uint16_t)config_int(config, "http.port");
	ret->is_metrics_open = config_bool(config, "http.metrics_open");
	ret->header_max = (size_t)config_int(config, "http.header_max");
	ret->body_max = (size_t)config_int(config, "http.body_max");
	ret->connections_max = (unsigned)config_int(config, "http.connections_max");
	ret->connections_per_address = (unsigned)config_int(config, "http.connections_per_address");
	ret->timeout_s = (unsigned)((config_int(config, "http.timeout") + 999) / 1000);
	ret->changes_kept = (unsigned)config_int(config, "http.changes_kept");
}
