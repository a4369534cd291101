/*
 * The English of the grammar: comparisons, what may stand behind a number, negations, numbers in
 * words. What belongs to a shop (names, units, values, orders) is in its rules instead.
 */
#include "search/search_query_int.h"

#include "base/banned.h"

#define COMPARE(text, o, s)                                           \
	{                                                             \
		(text),                                               \
		{                                                     \
			.kind = ENTRY_COMPARE, .op = (o), .said = (s) \
		}                                                     \
	}
#define AFTER(text, o)                                 \
	{                                              \
		(text),                                \
		{                                      \
			.kind = ENTRY_AFTER, .op = (o) \
		}                                      \
	}
#define NEGATION(text, n)                                       \
	{                                                       \
		(text),                                         \
		{                                               \
			.kind = ENTRY_NEGATION, .negation = (n) \
		}                                               \
	}
#define MOST(text, down)                                            \
	{                                                           \
		(text),                                             \
		{                                                   \
			.kind = ENTRY_MOST, .is_descending = (down) \
		}                                                   \
	}
#define NUMBER(text, n)                                     \
	{                                                   \
		(text),                                     \
		{                                           \
			.kind = ENTRY_NUMBER, .number = (n) \
		}                                           \
	}

const struct query_grammar_word query_grammar[] = {
    COMPARE("under", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("below", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("beneath", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("less than", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("lower than", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("smaller than", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("fewer than", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("<", OP_BELOW, SAID_OF_NUMBER),
    COMPARE("up to", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("upto", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("at most", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("max", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("max of", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("maximum", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("maximum of", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("no more than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not more than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("no higher than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("no bigger than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not bigger than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("no larger than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not larger than", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not over", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not above", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not exceeding", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("not to exceed", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("within", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("<=", OP_AT_MOST, SAID_OF_NUMBER),
    COMPARE("budget", OP_AT_MOST, SAID_OF_MONEY),
    COMPARE("budget of", OP_AT_MOST, SAID_OF_MONEY),
    COMPARE("over", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("above", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("more than", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("greater than", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("higher than", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("bigger than", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("larger than", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("exceeding", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE(">", OP_ABOVE, SAID_OF_NUMBER),
    COMPARE("at least", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("min", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("min of", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("minimum", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("minimum of", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("no less than", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("not less than", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("no smaller than", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("not smaller than", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("not under", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("not below", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("starting at", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("starting from", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("upwards of", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE(">=", OP_AT_LEAST, SAID_OF_NUMBER),
    COMPARE("around", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("about", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("approx", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("approximately", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("circa", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("roughly", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("close to", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("~", OP_ABOUT, SAID_OF_NUMBER),
    COMPARE("exactly", OP_EQUAL, SAID_OF_NUMBER),
    COMPARE("equal to", OP_EQUAL, SAID_OF_NUMBER),
    COMPARE("=", OP_EQUAL, SAID_OF_NUMBER),
    COMPARE("between", OP_BETWEEN, SAID_OF_BOTH),
    COMPARE("from", OP_AT_LEAST, SAID_FROM),
    COMPARE("after", OP_ABOVE, SAID_OF_DATE),
    COMPARE("later than", OP_ABOVE, SAID_OF_DATE),
    COMPARE("since", OP_AT_LEAST, SAID_OF_DATE),
    COMPARE("before", OP_BELOW, SAID_OF_DATE),
    COMPARE("earlier than", OP_BELOW, SAID_OF_DATE),
    COMPARE("until", OP_AT_MOST, SAID_OF_DATE),
    COMPARE("in", OP_EQUAL, SAID_OF_DATE),
    COMPARE("on", OP_EQUAL, SAID_OF_DATE),
    COMPARE("during", OP_EQUAL, SAID_OF_DATE),

    AFTER("or more", OP_AT_LEAST),
    AFTER("or bigger", OP_AT_LEAST),
    AFTER("or larger", OP_AT_LEAST),
    AFTER("or higher", OP_AT_LEAST),
    AFTER("or above", OP_AT_LEAST),
    AFTER("or better", OP_AT_LEAST),
    AFTER("or greater", OP_AT_LEAST),
    AFTER("or longer", OP_AT_LEAST),
    AFTER("or over", OP_AT_LEAST),
    AFTER("or up", OP_AT_LEAST),
    AFTER("or newer", OP_AT_LEAST),
    AFTER("or later", OP_AT_LEAST),
    AFTER("and up", OP_AT_LEAST),
    AFTER("and above", OP_AT_LEAST),
    AFTER("and over", OP_AT_LEAST),
    AFTER("and more", OP_AT_LEAST),
    AFTER("and higher", OP_AT_LEAST),
    AFTER("and newer", OP_AT_LEAST),
    AFTER("and later", OP_AT_LEAST),
    AFTER("at least", OP_AT_LEAST),
    AFTER("upwards", OP_AT_LEAST),
    AFTER("plus", OP_AT_LEAST),
    AFTER("+", OP_AT_LEAST),
    AFTER("minimum", OP_AT_LEAST),
    AFTER("min", OP_AT_LEAST),
    AFTER("or less", OP_AT_MOST),
    AFTER("or smaller", OP_AT_MOST),
    AFTER("or lower", OP_AT_MOST),
    AFTER("or below", OP_AT_MOST),
    AFTER("or under", OP_AT_MOST),
    AFTER("or cheaper", OP_AT_MOST),
    AFTER("or fewer", OP_AT_MOST),
    AFTER("or shorter", OP_AT_MOST),
    AFTER("or lighter", OP_AT_MOST),
    AFTER("or older", OP_AT_MOST),
    AFTER("or earlier", OP_AT_MOST),
    AFTER("and under", OP_AT_MOST),
    AFTER("and below", OP_AT_MOST),
    AFTER("and less", OP_AT_MOST),
    AFTER("and older", OP_AT_MOST),
    AFTER("at most", OP_AT_MOST),
    AFTER("maximum", OP_AT_MOST),
    AFTER("max", OP_AT_MOST),
    AFTER("tops", OP_AT_MOST),
    AFTER("or so", OP_ABOUT),

    NEGATION("not", NEGATION_NOT),
    NEGATION("but not", NEGATION_NOT),
    NEGATION("and not", NEGATION_NOT),
    NEGATION("isn't", NEGATION_NOT),
    NEGATION("aren't", NEGATION_NOT),
    NEGATION("don't want", NEGATION_NOT),
    NEGATION("non", NEGATION_NOT),
    NEGATION("except", NEGATION_NOT),
    NEGATION("except for", NEGATION_NOT),
    NEGATION("excluding", NEGATION_NOT),
    NEGATION("exclude", NEGATION_NOT),
    NEGATION("other than", NEGATION_NOT),
    NEGATION("anything but", NEGATION_NOT),
    NEGATION("everything but", NEGATION_NOT),
    NEGATION("all but", NEGATION_NOT),
    NEGATION("any but", NEGATION_NOT),
    NEGATION("any color but", NEGATION_NOT),
    NEGATION("any colour but", NEGATION_NOT),
    NEGATION("any brand but", NEGATION_NOT),
    NEGATION("no", NEGATION_WITHOUT),
    NEGATION("but no", NEGATION_WITHOUT),
    NEGATION("and no", NEGATION_WITHOUT),
    NEGATION("with no", NEGATION_WITHOUT),
    NEGATION("without", NEGATION_WITHOUT),
    NEGATION("and without", NEGATION_WITHOUT),
    NEGATION("but without", NEGATION_WITHOUT),
    NEGATION("w/o", NEGATION_WITHOUT),

    MOST("highest", true),
    MOST("largest", true),
    MOST("biggest", true),
    MOST("greatest", true),
    MOST("longest", true),
    MOST("most", true),
    MOST("lowest", false),
    MOST("smallest", false),
    MOST("shortest", false),
    MOST("least", false),
    MOST("fewest", false),

    NUMBER("one", 1),
    NUMBER("two", 2),
    NUMBER("three", 3),
    NUMBER("four", 4),
    NUMBER("five", 5),
    NUMBER("six", 6),
    NUMBER("seven", 7),
    NUMBER("eight", 8),
    NUMBER("nine", 9),
    NUMBER("ten", 10),
    NUMBER("twelve", 12),
    NUMBER("fifteen", 15),
    NUMBER("twenty", 20),
    NUMBER("thirty", 30),
    NUMBER("forty", 40),
    NUMBER("fifty", 50),
    NUMBER("sixty", 60),
    NUMBER("seventy", 70),
    NUMBER("eighty", 80),
    NUMBER("ninety", 90),
    NUMBER("hundred", 100),
    NUMBER("thousand", 1000),
};
const size_t query_grammar_len = ARRAY_LEN(query_grammar);
