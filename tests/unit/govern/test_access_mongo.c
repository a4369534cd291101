/* Who gets which right in a MongoDB that keeps accounts to their rights, and in one that does not;
 * what a view is made of. */
#include "../mapping/fixture.h"
#include "govern/access_mongo_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

static const char mapping_yaml[] =
    "collection: people\ntable: customer\nkey: id\nqueue: people_queue\nfields:\n"
    "  id: {column: id, pii: identifier}\n"
    "  name: {column: name, pii: name}\n"
    "  purchases:\n    array: purchase\n    on: {customer: id}\n    fields:\n"
    "      at: at\n      note: {column: note, pii: name}\n";

static const char rules_yaml[] =
    "clearances:\n"
    "  masked: {name: initial, identifier: pseudonym}\n"
    "  full: {name: plain, email: plain, phone: plain, address: plain, region: plain,\n"
    "         birth_date: plain, moment: plain, identifier: plain, financial: plain, free_text: "
    "plain}\n"
    "roles:\n"
    "  boss: {clearance: full, everything: true}\n"
    "  reader: {clearance: full, read: [customer, purchase]}\n"
    "  partly: {clearance: full, read: [customer]}\n"
    "  crowd: {clearance: masked, read: [customer, purchase]}\n"
    "  outside: {clearance: masked, read: [purchase]}\n"
    "people:\n"
    "  ann: {role: boss}\n  bob: {role: reader}\n  cat: {role: partly}\n"
    "  dan: {role: crowd}\n  eve: {role: outside}\n  fay: {role: reader, host: \"10.%\"}\n";

struct planned {
	struct access *access;
	struct mapping *mapping;
	struct access_mongo plan;
};

static void plan(struct planned *p, const char *breach)
{
	struct err err = {0};
	struct mapping_set set = {1, &p->mapping};

	*p = (struct planned){0};
	assert_int_equal(
	    mapping_parse("m.yaml", mapping_yaml, strlen(mapping_yaml), &p->mapping, &err), 0);
	assert_int_equal(mapping_bind(p->mapping, fixture_schema(), &err), 0);
	assert_int_equal(access_parse("a.yaml", rules_yaml, strlen(rules_yaml), &p->access, &err),
			 0);
	p->access->plan = arena_alloc(&p->access->arena, sizeof(*p->access->plan));
	assert_int_equal(access_class_columns(p->access, &set, fixture_schema(), &err), 0);
	p->plan = (struct access_mongo){.database = "d", .users = "admin", .breach = breach};
	assert_int_equal(access_mongo_plan_roles(p->access, &set, &p->plan, &err), 0);
}

static void planned_done(struct planned *p)
{
	access_mongo_done(&p->plan);
	access_free(p->access);
	mapping_free(p->mapping);
}

static bool may(const struct planned *p, const char *who, const char *right, const char *object)
{
	const struct access_items *w = &p->plan.wanted;

	for (size_t i = 0; i < w->n; i++)
		if (w->items[i].kind == ACCESS_GRANT && cstr_equal(w->items[i].who, who) &&
		    cstr_equal(w->items[i].right, right) && cstr_equal(w->items[i].object, object))
			return true;
	return false;
}

static size_t count(const struct planned *p, enum access_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->plan.wanted.n; i++)
		n += p->plan.wanted.items[i].kind == kind;
	return n;
}

static const char *view(const struct planned *p, const char *name)
{
	for (size_t i = 0; i < p->plan.wanted.n; i++)
		if (p->plan.wanted.items[i].kind == ACCESS_VIEW &&
		    cstr_equal(p->plan.wanted.items[i].who, name))
			return p->plan.wanted.items[i].sql;
	return "";
}

static void each_role_finds_in_its_own_collections_alone(void **state)
{
	_cleanup_(planned_done) struct planned p;

	(void)state;
	plan(&p, NULL);
	assert_true(may(&p, "d.boss", "readWrite", "DATABASE d"));
	assert_true(may(&p, "d.reader", "find", "COLLECTION people"));
	assert_true(may(&p, "d.partly", "find", "COLLECTION people_partly"));
	assert_true(may(&p, "d.crowd", "find", "COLLECTION people_crowd"));
	assert_int_equal(count(&p, ACCESS_GRANT), 4);
	assert_int_equal(count(&p, ACCESS_ROLE), 4); /* nobody sees a document of no table */
	assert_int_equal(count(&p, ACCESS_ACCOUNT), 4);
	assert_int_equal(p.plan.n_withheld, 0);
}

static void who_may_come_from_one_host_alone_gets_no_account_that_any_host_opens(void **state)
{
	_cleanup_(planned_done) struct planned p;

	(void)state;
	plan(&p, NULL);
	assert_false(access_items_has(&p.plan.wanted, ACCESS_ACCOUNT, "admin.fay"));
	assert_int_equal(p.plan.n_bound, 1);
}

static void a_view_has_what_is_plain_or_can_be_masked(void **state)
{
	_cleanup_(planned_done) struct planned p;

	(void)state;
	plan(&p, NULL);
	assert_string_equal(view(&p, "d.people_partly"),
			    "{\"viewOn\":\"people\",\"pipeline\":[{\"$project\":{\"_id\":1,"
			    "\"id\":1,\"name\":1}}]}");
	assert_non_null(strstr(view(&p, "d.people_crowd"), "\"_id\":0,\"name\":{\"$switch\""));
	assert_non_null(strstr(view(&p, "d.people_crowd"), "\"purchases.at\":1"));
	assert_null(strstr(view(&p, "d.people_crowd"), "note"));   /* nested, and not plain */
	assert_null(strstr(view(&p, "d.people_crowd"), "\"id\"")); /* a pseudonym */
}

static void where_rights_are_not_kept_only_who_has_everything_has_an_account(void **state)
{
	_cleanup_(planned_done) struct planned p;

	(void)state;
	plan(&p, "it does what it likes");
	assert_int_equal(count(&p, ACCESS_ACCOUNT), 1);
	assert_true(access_items_has(&p.plan.wanted, ACCESS_ACCOUNT, "admin.ann"));
	assert_int_equal(p.plan.n_withheld, 4);
	assert_int_equal(count(&p, ACCESS_ROLE), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_role_finds_in_its_own_collections_alone),
	    cmocka_unit_test(who_may_come_from_one_host_alone_gets_no_account_that_any_host_opens),
	    cmocka_unit_test(a_view_has_what_is_plain_or_can_be_masked),
	    cmocka_unit_test(where_rights_are_not_kept_only_who_has_everything_has_an_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
