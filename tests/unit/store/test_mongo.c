/* MongoDB without a server: classes of errors, no values in messages, write errors, URIs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "store/mongo.h"

#include <string.h>

#include "base/banned.h"

static struct err error_of(uint32_t domain, uint32_t code, const char *text, const bson_t *reply)
{
	bson_error_t e;
	struct err err = {0};
	int r;

	bson_set_error(&e, domain, code, "%s", text);
	r = mongo_error(&err, &e, reply, "writing");
	assert_int_equal(r, -(int)err.code);
	assert_int_equal(err.native, code);
	return err;
}

static void server_codes_have_the_class_that_decides_what_to_do(void **state)
{
	static const struct {
		uint32_t code;
		enum err_code class;
	} cases[] = {
	    {91, ERR_UNAVAILABLE},	{189, ERR_UNAVAILABLE},	  {10107, ERR_UNAVAILABLE},
	    {11602, ERR_UNAVAILABLE},	{13435, ERR_UNAVAILABLE}, {50, ERR_TIMEOUT},
	    {64, ERR_TIMEOUT},		{112, ERR_RETRY},	  {251, ERR_RETRY},
	    {13, ERR_PERMISSION},	{18, ERR_PERMISSION},	  {26, ERR_NOT_FOUND},
	    {2, ERR_DOCUMENT},		{66, ERR_DOCUMENT},	  {121, ERR_DOCUMENT},
	    {10334, ERR_DOCUMENT},	{11000, ERR_DOCUMENT},	  {17419, ERR_DOCUMENT},
	    {59, ERR_INVALID_ARGUMENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = error_of(MONGOC_ERROR_SERVER, cases[i].code, "text", NULL);

		if (err.code != cases[i].class)
			fail_msg("%u: %s", cases[i].code, err_name((int)err.code));
	}
}

static void the_drivers_own_errors_have_a_class(void **state)
{
	(void)state;
	assert_int_equal(error_of(MONGOC_ERROR_STREAM, 5, "x", NULL).code, ERR_UNAVAILABLE);
	assert_int_equal(error_of(MONGOC_ERROR_SERVER_SELECTION, 13053, "x", NULL).code,
			 ERR_UNAVAILABLE);
	assert_int_equal(
	    error_of(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, "x", NULL).code,
	    ERR_PERMISSION);
	assert_int_equal(error_of(MONGOC_ERROR_BSON, 18, "x", NULL).code, ERR_DOCUMENT);
	assert_int_equal(error_of(MONGOC_ERROR_WRITE_CONCERN, 100, "x", NULL).code, ERR_TIMEOUT);
	assert_int_equal(error_of(MONGOC_ERROR_COMMAND, 9, "x", NULL).code, ERR_INVALID_ARGUMENT);
	/* 112 of the driver's other domains is no write conflict */
	assert_int_equal(error_of(MONGOC_ERROR_COMMAND, 112, "x", NULL).code, ERR_INVALID_ARGUMENT);
}

static void a_label_makes_an_unknown_error_one_to_repeat(void **state)
{
	static const char *const labels[] = {"TransientTransactionError",
					     "UnknownTransactionCommitResult"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		bson_t *reply = BCON_NEW("errorLabels", "[", BCON_UTF8(labels[i]), "]");

		assert_int_equal(error_of(MONGOC_ERROR_SERVER, 4711, "x", reply).code, ERR_RETRY);
		/* but a document that is refused is refused again */
		assert_int_equal(error_of(MONGOC_ERROR_SERVER, 121, "x", reply).code, ERR_DOCUMENT);
		bson_destroy(reply);
	}
}

static void no_value_of_a_document_gets_into_a_message(void **state)
{
	bson_t *reply = BCON_NEW("writeErrors", "[", "{", "index", BCON_INT32(3), "code",
				 BCON_INT32(16755), "errmsg", BCON_UTF8("secret"), "}", "]");

	(void)state;
	assert_string_equal(
	    error_of(MONGOC_ERROR_SERVER, 11000,
		     "E11000 duplicate key error collection: db.c index: email_1 dup key: { email: "
		     "\"secret\" }",
		     NULL)
		.message,
	    "MongoDB: writing: DuplicateKey in index \"email_1\" (11000)");
	assert_string_equal(
	    error_of(MONGOC_ERROR_SERVER, 121, "Document failed validation: secret", NULL).message,
	    "MongoDB: writing: DocumentValidationFailure (121)");
	assert_string_equal(error_of(MONGOC_ERROR_BSON, 18, "secret is not UTF-8", NULL).message,
			    "MongoDB: writing: the document cannot be encoded (18)");
	/* A code nobody expected, but of one document: its text may quote it. */
	assert_string_equal(error_of(MONGOC_ERROR_SERVER, 16755,
				     "Can't extract geo keys: { _id: 1, place: \"secret\" }", reply)
				.message,
			    "MongoDB: writing: a document was refused (16755)");
	bson_destroy(reply);
}

static void what_the_server_says_of_itself_is_passed_on(void **state)
{
	(void)state;
	assert_string_equal(error_of(MONGOC_ERROR_SERVER, 10107, "not primary", NULL).message,
			    "MongoDB: writing: not primary (10107)");
}

static void the_first_write_error_has_an_index(void **state)
{
	bson_t *two =
	    BCON_NEW("nInserted", BCON_INT32(5), "writeErrors", "[", "{", "index", BCON_INT32(7),
		     "code", BCON_INT32(121), "}", "{", "index", BCON_INT32(9), "}", "]");
	bson_t *none = BCON_NEW("nInserted", BCON_INT32(5), "writeErrors", "[", "]");
	bson_t *other = BCON_NEW("writeErrors", BCON_UTF8("no array"));
	bson_t *odd = BCON_NEW("writeErrors", "[", BCON_INT32(7), "]");
	bson_t *nameless = BCON_NEW("writeErrors", "[", "{", "code", BCON_INT32(7), "}", "]");
	bson_t empty = BSON_INITIALIZER;

	(void)state;
	assert_int_equal(mongo_write_error_index(two), 7);
	assert_int_equal(mongo_write_error_index(none), -1);
	assert_int_equal(mongo_write_error_index(other), -1);
	assert_int_equal(mongo_write_error_index(odd), -1);
	assert_int_equal(mongo_write_error_index(nameless), -1);
	assert_int_equal(mongo_write_error_index(&empty), -1);
	assert_int_equal(mongo_write_error_index(NULL), -1);
	bson_destroy(two);
	bson_destroy(none);
	bson_destroy(other);
	bson_destroy(odd);
	bson_destroy(nameless);
}

static void a_uri_with_a_password_is_refused_and_not_repeated(void **state)
{
	struct mongo_options options = {.uri = "mongodb://u:secret@127.0.0.1:1/"};
	struct mongo *m = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(mongo_open(&options, &m, &err), -ERR_INVALID_ARGUMENT);
	assert_string_equal(err.message, "the MongoDB URI holds a password");
	assert_null(strstr(err.hint, "secret"));
	assert_non_null(strstr(err.hint, "MONGO_PASS"));
	options.uri = "postgres://127.0.0.1";
	assert_int_equal(mongo_open(&options, &m, &err), -ERR_INVALID_ARGUMENT);
	assert_null(m);
}

static void a_uri_for_other_clients_is_complete(void **state)
{
	static const struct {
		struct mongo_options options;
		const char *text;
	} cases[] = {
	    {{.uri = "mongodb://127.0.0.1:7000/?directConnection=true",
	      .user = "a@b",
	      .password = "p:/?&%",
	      .database = "shop"},
	     "mongodb://a%40b:p%3A%2F%3F%26%25@127.0.0.1:7000/shop?directConnection=true&"
	     "authsource=admin"},
	    {{.uri = "mongodb://a:1,b:2/?replicaSet=rs&authSource=people",
	      .user = "u",
	      .password = "p",
	      .database = "shop"},
	     "mongodb://u:p@a:1,b:2/shop?replicaSet=rs&authSource=people"},
	    {{.uri = "mongodb://h/old", .database = "shop", .tls_ca = "/ca.pem"},
	     "mongodb://h/shop?tls=true&tlscafile=%2Fca%2Epem"},
	    {{.uri = "mongodb://other@h", .user = "u", .password = "p"},
	     "mongodb://u:p@h/?authsource=admin"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf b = STRBUF_INIT(0);
		struct err err = {0};

		assert_int_equal(mongo_uri_text(&cases[i].options, &b, &err), 0);
		assert_string_equal(strbuf_str(&b), cases[i].text);
		strbuf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(server_codes_have_the_class_that_decides_what_to_do),
	    cmocka_unit_test(the_drivers_own_errors_have_a_class),
	    cmocka_unit_test(a_label_makes_an_unknown_error_one_to_repeat),
	    cmocka_unit_test(no_value_of_a_document_gets_into_a_message),
	    cmocka_unit_test(what_the_server_says_of_itself_is_passed_on),
	    cmocka_unit_test(the_first_write_error_has_an_index),
	    cmocka_unit_test(a_uri_with_a_password_is_refused_and_not_repeated),
	    cmocka_unit_test(a_uri_for_other_clients_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
