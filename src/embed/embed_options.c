/*
 * Section "embed" of the configuration.
 *
 * Three options hold a key: one for whatever embed.endpoint is, and one for each vendor, whose
 * environment variable many machines have set anyway. A vendor's key goes to that vendor alone
 * (embed_remote.c): with OPENAI_API_KEY in the environment and another company's endpoint in the
 * configuration, it must not be given away.
 */
#include "embed/embed.h"

#include "base/banned.h"

const struct config_option embed_options[] = {
    {.section = "embed",
     .name = "provider",
     .type = CONFIG_CHOICE,
     .fallback = "local",
     .choices = "local|gemini|openai",
     .help = "Who turns texts into vectors: \"local\" is the transformer on this machine, "
	     "\"gemini\" Google's API, \"openai\" every endpoint that speaks OpenAI's (Ollama, "
	     "vLLM, TEI)."},
    {.section = "embed",
     .name = "model",
     .type = CONFIG_TEXT,
     .help = "The model, as the provider calls it. Unset: all-MiniLM-L6-v2 for \"local\"; the "
	     "others must be told. Another model is another space of vectors: all is embedded "
	     "anew."},
    {.section = "embed",
     .name = "dimension",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = EMBED_DIMENSION_MAX,
     .help = "Numbers in a vector. 0: as many as the model makes of itself; a remote model that is "
	     "not known here must be told."},
    {.section = "embed",
     .name = "dir",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help =
	 "Folder with the files of a local model of your own, which embed.model then names. Unset: "
	 "where tools/setup put all-MiniLM-L6-v2."},
    {.section = "embed",
     .name = "precision",
     .type = CONFIG_CHOICE,
     .fallback = "auto",
     .choices = "auto|f32|bf16|int8",
     .help = "How the local model calculates; \"auto\" takes the fastest that this processor has "
	     "instructions for."},
    {.section = "embed",
     .name = "threads",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 256,
     .help = "Threads of the local model for many texts at once. 0: one for each core."},
    {.section = "embed",
     .name = "endpoint",
     .type = CONFIG_TEXT,
     .flags = CONFIG_URI,
     .help = "Where a remote provider is, https://host[:port][/path] without a key in it. Unset: "
	     "the vendor's own. With \"local\": where the remote model that was used before may "
	     "still be asked while the new index is built."},
    {.section = "embed",
     .name = "plain_http",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .help = "Whether an endpoint beyond this machine may be http://, so that texts and key cross "
	     "the network for all to read. To 127.0.0.1, [::1] and localhost it always may."},
    {.section = "embed",
     .name = "tls_ca",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "PEM file of the authority that signed the endpoint's certificate. Unset: the "
	     "system's authorities."},
    {.section = "embed",
     .name = "api_key_file",
     .type = CONFIG_TEXT,
     .flags = CONFIG_PATH,
     .help = "File whose first line is the key for embed.endpoint."},
    {.section = "embed",
     .name = "api_key",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "EMBED_API_KEY",
     .help = "Key for embed.endpoint; better in the environment or in embed.api_key_file."},
    {.section = "embed",
     .name = "gemini_api_key",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "GEMINI_API_KEY",
     .help = "Google's key, when embed.api_key and embed.api_key_file are unset. It is sent to "
	     "googleapis.com and to this machine, to no other host."},
    {.section = "embed",
     .name = "openai_api_key",
     .type = CONFIG_TEXT,
     .flags = CONFIG_SECRET,
     .environment = "OPENAI_API_KEY",
     .help = "OpenAI's key, when embed.api_key and embed.api_key_file are unset. It is sent to "
	     "openai.com and to this machine, to no other host."},
    {.section = "embed",
     .name = "parallel",
     .type = CONFIG_INT,
     .fallback = "4",
     .min = 1,
     .max = 64,
     .help = "Requests to a remote provider under way at once, for one call."},
    {.section = "embed",
     .name = "batch",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 2048,
     .help = "Texts in a request. 0: what the provider takes, 100 for \"gemini\", 32 for "
	     "\"openai\". Long texts make a request end earlier."},
    {.section = "embed",
     .name = "text_max",
     .type = CONFIG_SIZE,
     .fallback = "8000",
     .min = 256,
     .max = EMBED_TEXT_MAX,
     .help = "Bytes of a text that are sent to a remote provider; the rest is cut off. A token "
	     "has at least one byte, so 8000 is never above a limit of 8192 tokens."},
    {.section = "embed",
     .name = "timeout",
     .type = CONFIG_DURATION,
     .fallback = "30s",
     .min = 100,
     .max = 3600000,
     .help = "How long a request may take with all its tries and the waits between them. A single "
	     "try has half of it."},
    {.section = "embed",
     .name = "query_timeout",
     .type = CONFIG_DURATION,
     .fallback = "2s",
     .min = 100,
     .max = 3600000,
     .help = "The same for the text of a query, for which somebody waits: a search then answers by "
	     "words alone."},
    {.section = "embed",
     .name = "retries",
     .type = CONFIG_INT,
     .fallback = "4",
     .min = 0,
     .max = 20,
     .help = "How often a request is repeated after a time-out, a rate limit or an error of the "
	     "server."},
    {.section = "embed",
     .name = "query_cache",
     .type = CONFIG_INT,
     .fallback = "10000",
     .min = 0,
     .max = 1000000,
     .help = "Queries whose vectors are kept in memory, the latest ones. 0: none."},
    {.section = "embed",
     .name = "pii",
     .type = CONFIG_CHOICE,
     .fallback = "local",
     .choices = "local|remote",
     .help = "Who may see texts made from fields with a PII class: \"local\" only the model of "
	     "this program, \"remote\" also a provider that is asked over HTTP."},
    {0},
};
