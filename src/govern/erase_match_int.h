/* What the files of erase_match.h share. */
#pragma once

#include "govern/erase_match.h"

struct erase_buffer { /* bytes of a value, as they are compared; used again and again */
	char *data;
	size_t len, cap;
};
void erase_buffer_done(struct erase_buffer *b);
void erase_buffer_room(struct erase_buffer *b, size_t more);
/* Appends it, folded. True: it may have escapes; of bytes that are no text, where text is around.
 */
bool erase_buffer_fold(struct erase_buffer *b, struct str text, bool is_bytes);
/* Appends it with its escapes undone, once. False: there were none. */
bool erase_buffer_undo(struct erase_buffer *b, struct str text);

/* Whether a word goes on at this place, and whether one came up to it. */
bool erase_word_begins(struct str in, size_t at);
bool erase_word_ends(struct str in, size_t at);
