/*
 * Certificate and key: see http_tls.h. The library that serves TLS would take what is wrong with
 * them for a reason not to start, without a word, or begin to refuse clients one night when the
 * certificate expires; so all of it is looked at here.
 */
#include "http/http_tls.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/mem.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>

#include "base/banned.h"

#define PEM_MAX	     (1 << 20)
#define CHAIN_MAX    16
#define WARNING_DAYS 14

/* TLS 1.2 and 1.3, keys that are forgotten after each connection, ciphers that authenticate. */
#define PRIORITIES                                                               \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-AES-128-CCM:" \
	"-AES-256-CCM:-AES-128-CBC:-AES-256-CBC:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* --- files ----------------------------------------------------------------------------------- */

static int read_pem(const char *path, const char *option, char **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(PEM_MAX);
	int r = file_read(path, &b, err);

	if (r < 0)
		return err_context(err, "%s", option);
	*ret = strbuf_take(&b);
	return 0;
}

static int check_mode(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || !(st.st_mode & 077)) /* what is not there is told by reading */
		return 0;
	(void)err_set(err, ERR_PERMISSION,
		      "http.tls_key: others than its owner may read the key in \"%s\" (mode %03o)",
		      path, (unsigned)st.st_mode & 0777);
	return err_hint(err, "chmod 600 it");
}

/* --- what is in them ------------------------------------------------------------------------- */

static int wrong(struct err *err, const char *path, const char *what, int code)
{
	return err_set(err, ERR_INVALID_ARGUMENT, "http.tls_cert: \"%s\" %s%s%s", path, what,
		       code ? ": " : "", code ? gnutls_strerror(code) : "");
}

static int check_times(gnutls_x509_crt_t cert, const char *path, struct err *err)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	time_t begins = gnutls_x509_crt_get_activation_time(cert);
	time_t ends = gnutls_x509_crt_get_expiration_time(cert);
	char when[CLOCK_TEXT_SIZE];

	if (ends <= now) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "http.tls_cert: the certificate in \"%s\" expired at %s", path,
			      clock_format((int64_t)ends * 1000000, when));
		return err_hint(err, "get a new one; it is read at start");
	}
	if (begins > now)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "http.tls_cert: the certificate in \"%s\" begins at %s", path,
			       clock_format((int64_t)begins * 1000000, when));
	if (ends - now < WARNING_DAYS * 86400L)
		logger_event(LOGGER_WARN, "http", "the certificate expires soon", "file", path,
			     "at", clock_format((int64_t)ends * 1000000, when), NULL);
	return 0;
}

static int check_certificates(const struct http_tls *t, const char *path, struct err *err)
{
	const gnutls_datum_t pem = {(unsigned char *)t->cert, (unsigned)strlen(t->cert)};
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned n = CHAIN_MAX;
	int code = gnutls_x509_crt_list_import(chain, &n, &pem, GNUTLS_X509_FMT_PEM,
					       GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	int r = 0;

	if (code < 0)
		return wrong(err, path, "holds no certificate in PEM", code);
	for (unsigned i = 0; i < n; i++) {
		if (r == 0)
			r = check_times(chain[i], path, err);
		gnutls_x509_crt_deinit(chain[i]);
	}
	return r;
}

static int check_key(const struct http_tls *t, const char *cert_path, const char *key_path,
		     struct err *err)
{
	const gnutls_datum_t cert = {(unsigned char *)t->cert, (unsigned)strlen(t->cert)};
	const gnutls_datum_t key = {(unsigned char *)t->key, (unsigned)strlen(t->key)};
	gnutls_certificate_credentials_t both;
	gnutls_x509_privkey_t alone;
	int code = gnutls_x509_privkey_init(&alone);

	bug_if(code < 0 || gnutls_certificate_allocate_credentials(&both) < 0);
	code = gnutls_x509_privkey_import(alone, &key, GNUTLS_X509_FMT_PEM);
	gnutls_x509_privkey_deinit(alone);
	if (code < 0)
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "http.tls_key: \"%s\" holds no private key in PEM: %s", key_path,
			      gnutls_strerror(code));
	if (code == 0) {
		code = gnutls_certificate_set_x509_key_mem(both, &cert, &key, GNUTLS_X509_FMT_PEM);
		if (code < 0)
			(void)err_set(err, ERR_INVALID_ARGUMENT,
				      "http.tls_key: \"%s\" is not the key of the certificate in "
				      "\"%s\"",
				      key_path, cert_path);
	}
	gnutls_certificate_free_credentials(both);
	return code < 0 ? -ERR_INVALID_ARGUMENT : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int http_tls_load(const char *cert_path, const char *key_path, struct http_tls **ret,
		  struct err *err)
{
	_cleanup_(http_tls_freep) struct http_tls *t = MEM_NEW(struct http_tls);
	int r = MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES
		    ? check_mode(key_path, err)
		    : err_set(err, ERR_UNSUPPORTED, "this libmicrohttpd was built without TLS");

	if (r == 0)
		r = read_pem(cert_path, "http.tls_cert", &t->cert, err);
	if (r == 0)
		r = read_pem(key_path, "http.tls_key", &t->key, err);
	if (r == 0)
		r = check_certificates(t, cert_path, err);
	if (r == 0)
		r = check_key(t, cert_path, key_path, err);
	if (r < 0)
		return r;
	t->options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, t->cert};
	t->options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, t->key};
	t->options[2] =
	    (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES};
	t->options[3] = (struct MHD_OptionItem){.option = MHD_OPTION_END};
	*ret = TAKE_PTR(t);
	return 0;
}

struct http_tls *http_tls_free(struct http_tls *t)
{
	if (!t)
		return NULL;
	mem_free(t->cert);
	if (t->key)
		sodium_memzero(t->key, strlen(t->key));
	mem_free(t->key);
	mem_free(t);
	return NULL;
}
