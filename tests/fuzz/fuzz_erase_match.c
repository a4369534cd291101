/* Any bytes as a text and as what is searched: a text is found in itself, as it is and in pieces of
 * a file, and nothing is read beyond its end. The first byte says how much of them is the text. */
#include "fuzz.h"
#include "govern/erase_match.h"

#include "base/mem.h"

#include "base/banned.h"

const char fuzz_corpus[] = "erase_match";

static void look_in_pieces(struct erase_match *m, struct str in)
{
	size_t overlap = erase_match_overlap(m), to;

	erase_match_begin(m, ERASE_BYTES);
	for (size_t from = 0; from < in.len; from += 16) {
		char *copy;

		to = in.len - from < 16 + overlap ? in.len : from + 16 + overlap;
		copy = mem_dup(in.data + from, to - from); /* its end is the end of the memory */
		(void)erase_match_piece(
		    m, &(struct erase_piece){{copy, to - from}, from == 0, to == in.len});
		mem_free(copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_done) struct strbuf around = STRBUF_INIT(0);
	size_t n = size ? data[0] % size : 0;
	struct str text = {(const char *)data + 1, n}, rest = {(const char *)data + 1 + n, 0};

	if (size < 2)
		return 0;
	rest.len = size - 1 - n;
	strbuf_addch(&around, ' ');
	strbuf_add(&around, text.data, text.len);
	strbuf_addch(&around, ' ');
	for (int kind = 0; kind < ERASE_KINDS; kind++) {
		_cleanup_(erase_match_freep) struct erase_match *m = erase_match_new();
		bool is_added = erase_match_add(m, (enum erase_kind)kind, text, 0);

		erase_match_begin(m, ERASE_VALUES);
		(void)erase_match_look(m, rest);
		(void)erase_match_is_cut(m, rest);
		erase_match_begin(m, ERASE_LINE);
		(void)erase_match_look(m, rest);
		look_in_pieces(m, rest);
		erase_match_begin(m, ERASE_VALUES);
		/* In bytes that are no text, short ones are not looked for. */
		bug_if(is_added && !memchr(text.data, '\0', n) && kind != ERASE_NAME &&
		       kind != ERASE_PHONE &&
		       erase_match_look(m, strbuf_slice(&around)) == ERASE_NONE);
	}
	return 0;
}
