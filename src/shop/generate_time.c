/*
 * The calendar of the shop. Days are converted by the civil-day arithmetic of Howard Hinnant
 * (public domain); time zones do not occur, all is UTC.
 *
 * A day's weight is a product of per-mille factors: growth of the shop, month, weekday, and the
 * days on which everybody or nobody buys. The figures are typical of consumer electronics and
 * otherwise arbitrary.
 */
#include "shop/generate_int.h"

#include "base/banned.h"

int32_t gen_day_from(int year, unsigned month, unsigned day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + (int)doe - 719468;
}

struct gen_date gen_date_of(int32_t day)
{
	int z = day + 719468;
	int era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	struct gen_date d = {.year = (int)yoe + era * 400,
			     .month = mp < 10 ? mp + 3 : mp - 9,
			     .day = doy - (153 * mp + 2) / 5 + 1};

	if (d.month <= 2)
		d.year++;
	return d;
}

unsigned gen_weekday(int32_t day)
{
	return (unsigned)(((day % 7) + 7 + 4) % 7); /* 1970-01-01 was a Thursday */
}

int gen_parse_day(const char *text, int32_t *ret, struct err *err)
{
	struct str rest = str_from(text);
	int64_t parts[3] = {0};
	int32_t day;
	struct gen_date back;

	for (size_t i = 0; i < 3; i++) {
		struct str part = gen_cut(&rest, '-');

		if (part.len != (i ? 2U : 4U) || parse_int64(part, 1, 9999, &parts[i], NULL) < 0)
			goto wrong;
	}
	if (rest.len || parts[0] < 1990 || parts[0] > 2200 || parts[1] > 12)
		goto wrong;
	day = gen_day_from((int)parts[0], (unsigned)parts[1], (unsigned)parts[2]);
	back = gen_date_of(day);
	if (back.month != (unsigned)parts[1] || back.day != (unsigned)parts[2])
		goto wrong;
	*ret = day;
	return 0;
wrong:
	(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is no day of the years 1990 to 2200",
		      text);
	return err_hint(err, "write it as YYYY-MM-DD, for example %s", SHOP_GENERATE_UNTIL);
}

/* 0: Thanksgiving's Friday, 3: the Monday after it; the fourth Thursday is day 22 to 28. */
static int days_since_black_friday(int32_t day, int year)
{
	int32_t first = gen_day_from(year, 11, 1);
	int32_t thursday = first + (int32_t)((4 + 7 - gen_weekday(first)) % 7) + 21;

	return day - (thursday + 1);
}

bool gen_is_sale_day(int32_t day)
{
	struct gen_date d = gen_date_of(day);
	int since = days_since_black_friday(day, d.year);

	return (since >= -1 && since <= 3) || (d.month == 7 && d.day >= 14 && d.day <= 16) ||
	       (d.month == 1 && d.day >= 2 && d.day <= 6);
}

/* Per mille of an ordinary day; the first line that fits counts. Days are month * 100 + day. */
static uint32_t special_day(struct gen_date d, int since_black_friday)
{
	static const struct {
		unsigned from, to;
		uint32_t factor;
	} days[] = {
	    {1224, 1225, 250}, {1205, 1218, 1300}, {101, 101, 350},
	    {714, 716, 1900},  {818, 907, 1250}, /* back to school */
	};
	unsigned day = d.month * 100 + d.day;

	if (since_black_friday == 0)
		return 3200;
	if (since_black_friday == 3)
		return 2800;
	if (since_black_friday >= -1 && since_black_friday <= 7)
		return 1700;
	for (size_t i = 0; i < ARRAY_LEN(days); i++)
		if (day >= days[i].from && day <= days[i].to)
			return days[i].factor;
	return 1000;
}

uint32_t gen_day_weight(int32_t day, int32_t window_from)
{
	static const uint32_t months[] = {960, 860, 880, 870,  900,  880,
					  930, 950, 980, 1010, 1290, 1390};
	static const uint32_t weekdays[] = {1150, 1090, 1020, 990, 960, 860, 930}; /* Sunday on */
	struct gen_date d = gen_date_of(day);
	uint64_t growth = 850 + (uint64_t)(day > window_from ? day - window_from : 0) * 300 / 1095;
	uint64_t w = growth * months[d.month - 1] / 1000 * weekdays[gen_weekday(day)] / 1000;

	return (uint32_t)(w * special_day(d, days_since_black_friday(day, d.year)) / 1000) + 1;
}

int64_t gen_time_of_day(struct gen_rng *rng)
{
	static const uint64_t hours[25] = {0,	14,  22,  27,	30,   34,   43,	 63,  101,
					   157, 223, 292, 360,	429,  493,  554, 618, 689,
					   768, 858, 958, 1061, 1151, 1211, 1243};
	uint64_t hour = gen_pick_sum(rng, hours, 0, 24);

	return (int64_t)(hour * 3600 + gen_below(rng, 3600));
}
