/* Any bytes as a vocabulary, and as a text: ids that the vocabulary has, between [CLS] and [SEP].
 */
#include "embed/wordpiece.h"
#include "fuzz.h"

#include "base/banned.h"

const char fuzz_corpus[] = "wordpiece";

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n##a\n##b\n##ab\n"
				 "1\n##1\n!\n[\n]\ncafe\n\xE4\xB8\xAD\n##\xCE\xB1\n";

static void encode(const struct wordpiece *w, struct str text, size_t max)
{
	uint32_t ids[300];
	size_t n;

	ids[max] = 0xABCDEF;
	n = wordpiece_encode(w, text, ids, max);
	bug_if(n < 2 || n > max || ids[max] != 0xABCDEF);
	for (size_t i = 0; i < n; i++)
		bug_if(ids[i] >= wordpiece_size(w));
	bug_if(!str_equal(wordpiece_token(w, ids[0]), str_from("[CLS]")));
	bug_if(!str_equal(wordpiece_token(w, ids[n - 1]), str_from("[SEP]")));
}

/* A first byte of 'v' says that the rest is a vocabulary. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct wordpiece *w = NULL;
	struct err err = {0};

	if (size && data[0] == 'v') {
		text = (struct str){text.data + 1, size - 1};
		if (wordpiece_parse("fuzz", text, &w, &err) < 0) {
			bug_if(!strstr(err.message, "fuzz"));
			return 0;
		}
	} else {
		bug_if(wordpiece_parse("small", str_from(vocabulary), &w, &err) < 0);
	}
	encode(w, text, 256);
	encode(w, text, 2 + size % 32);
	wordpiece_free(w);
	return 0;
}
