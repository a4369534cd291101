/* Category rules: every condition, and mistakes in the file. */
#include "shop/categorize.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/banned.h"

static const char rules[] = "fallback: Other > Unsorted\n"
			    "rules:\n"
			    "  - to: Computers > Laptops\n"
			    "    type: [Notebook, 'Hybrid*']\n"
			    "  - to: Cables > USB\n"
			    "    title: [usb c, 'cable*']\n"
			    "    not: [case]\n"
			    "  - to: Bags > Cases\n"
			    "    head: [case]\n"
			    "  - to: Paper > Labels\n"
			    "    brand: [Herma]\n"
			    "    text: [label*]\n"
			    "  - to: Printers > Laser\n"
			    "    attr: [\"attr_t_tech=Laser*\", attr_n_toner]\n";

static void conditions_hold_as_described(void **state)
{
	static const struct categorize_attribute laser[] = {
	    {{"attr_t_tech", 11}, {"Color Laser-printing", 20}}};
	static const struct categorize_attribute toner[] = {{{"attr_n_toner", 12}, {NULL, 0}}};
	static const struct categorize_attribute ink[] = {{{"attr_t_tech", 11}, {"Inkjet", 6}}};
	static const struct {
		const char *title, *type, *brand, *description;
		const struct categorize_attribute *attributes;
		const char *category;
	} cases[] = {
	    {"HP 250", "Notebook", "HP", "", NULL, "Computers > Laptops"},
	    {"HP 250", "hybrid (2-in-1)", "HP", "", NULL, "Computers > Laptops"},
	    {"HP 250", "Notebooks", "HP", "", NULL, "Other > Unsorted"},
	    {"Anker USB-C, 1 m", "", "", "", NULL, "Cables > USB"},
	    {"Two cables", "", "", "", NULL, "Cables > USB"},
	    {"Case for cables", "", "", "", NULL, "Bags > Cases"},
	    {"Stand for a case", "", "", "", NULL, "Other > Unsorted"},
	    {"A4", "", "HERMA", "white labels", NULL, "Paper > Labels"},
	    {"A4", "", "Avery", "white labels", NULL, "Other > Unsorted"},
	    {"X", "", "", "", laser, "Printers > Laser"},
	    {"X", "", "", "", toner, "Printers > Laser"},
	    {"X", "", "", "", ink, "Other > Unsorted"},
	};
	struct categorizer *c = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(categorizer_parse("rules", str_from(rules), &c, &err), 0);
	assert_int_equal(categorizer_rules(c), 5);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct categorize_product p = {.title = str_from(cases[i].title),
					       .type = str_from(cases[i].type),
					       .brand = str_from(cases[i].brand),
					       .description = str_from(cases[i].description),
					       .attributes = cases[i].attributes,
					       .n_attributes = cases[i].attributes != NULL};

		assert_string_equal(categorizer_find(c, &p), cases[i].category);
	}
	categorizer_free(c);
}

static void mistakes_are_found(void **state)
{
	static const char *const cases[] = {
	    "rules: []\n",
	    "fallback: A > B\nrules:\n  - to: A > B\n",
	    "fallback: A > B\nrules:\n  - title: [x]\n",
	    "fallback: A > B\nrules:\n  - {to: A > B, tittle: [x]}\n",
	    "fallback: A > B\nrules:\n  - {to: A > B, title: ['--']}\n",
	    "fallback: A > B\nrules:\n  - {to: A > B, title: x}\n",
	    "fallback: A > > B\nrules: []\n",
	    "fallback: A > B > C > D\nrules: []\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct categorizer *c = NULL;
		struct err err = {0};

		assert_int_equal(categorizer_parse("rules", str_from(cases[i]), &c, &err),
				 -ERR_INVALID_ARGUMENT);
		assert_non_null(strstr(err.message, "rules:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(conditions_hold_as_described),
	    cmocka_unit_test(mistakes_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
