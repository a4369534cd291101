/*
 * WordPiece: text to the token ids that BERT's uncased models were trained on.
 *
 * The ids are those of the model's own (fast) tokenizer: lower case, accents stripped, control
 * characters dropped, CJK ideographs and punctuation as words of their own, longest piece first.
 * The literals "[CLS]", "[SEP]", "[MASK]", "[PAD]" and "[UNK]" in a text are those tokens, as they
 * are there.
 *
 * A vocabulary is immutable: any number of threads may use it. Encoding allocates nothing.
 */
#pragma once

#include "base/strbuf.h"

#define WORDPIECE_TOKENS_MAX \
	((size_t)1 << 20) /* entries of a vocabulary: BERT's largest has 250,000 */
#define WORDPIECE_FILE_MAX ((size_t)64 << 20) /* bytes of vocab.txt */

struct wordpiece;

/*
 * Reads vocab.txt: one token a line, its id is the line's number from 0. ERR_NOT_FOUND, ERR_IO: the
 * file; ERR_LIMIT: too large; ERR_CORRUPTED, with file and line: an empty or doubled token, bytes
 * that are no UTF-8, a token longer than a word can be, or a special token that is missing.
 */
int wordpiece_open(const char *path, struct wordpiece **ret, struct err *err) _must_check_;
/* The same of a text in memory, which is copied; `name` stands for the file in messages. */
int wordpiece_parse(const char *name, struct str text, struct wordpiece **ret, struct err *err)
    _must_check_;
struct wordpiece *wordpiece_free(struct wordpiece *w);
DEFINE_CLEANUP(struct wordpiece *, wordpiece_free)

size_t wordpiece_size(const struct wordpiece *w); /* how many tokens there are */

/*
 * [CLS], the text's tokens, [SEP]: `max` (at least 2) ids at most, the text's last ones are cut
 * off. Returns how many. Bytes that are no UTF-8 count as U+FFFD, which is dropped.
 */
size_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ret_ids, size_t max);

/* The token of an id below wordpiece_size(); borrowed. For tests and people. */
struct str wordpiece_token(const struct wordpiece *w, uint32_t id);
