// SPDX-License-Identifier: MIT
#include "track_words.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16 };

struct track_text {
  struct track_text *next;
  size_t used, room;
  char bytes[];
};

bool words_number(struct track_words *words, const char *what, uint64_t *number)
{
  const char *word = lines_word(&words->rest);
  if (word == NULL) return words_refuse(words, "%s is missing", what);
  if (lines_number(word, number)) return true;
  return words_refuse(words, "%s is a number, not '%.32s'", what, word);
}

bool words_numbers(struct track_words *words, const struct words_field *fields, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (!words_number(words, fields[i].what, fields[i].number)) return false;
  }
  return true;
}

static bool is_octal(const char *text)
{
  for (size_t i = 0; i < 3; i++) {
    if (text[i] < '0' || text[i] > '7') return false;
  }
  return text[0] <= '3';
}

// In place. \000 ends the text.
static void unescape(char *text)
{
  char *to = text;
  while (*text != '\0') {
    if (*text == '\\' && is_octal(text + 1)) {
      *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text += 4;
    } else {
      *to++ = *text++;
    }
  }
  *to = '\0';
}

// A copy that lasts; NULL after a complaint.
static char *keep(struct track_words *words, const char *text)
{
  size_t length = strlen(text) + 1;
  struct track_text *chunk = words->texts;
  if (chunk == NULL || chunk->room - chunk->used < length) {
    size_t room = length > CHUNK_BYTES ? length : CHUNK_BYTES;
    chunk = malloc(sizeof *chunk + room);
    if (chunk == NULL) {
      (void)words_refuse(words, "out of memory");
      return NULL;
    }
    *chunk = (struct track_text){.next = words->texts, .room = room};
    words->texts = chunk;
  }
  char *copy = memcpy(chunk->bytes + chunk->used, text, length);
  chunk->used += length;
  return copy;
}

bool words_text(struct track_words *words, const char **text)
{
  char *word = lines_word(&words->rest);
  if (word != NULL) unescape(word);
  *text = keep(words, word != NULL ? word : "");
  return *text != NULL;
}

bool words_name(struct track_words *words, const char *what, char *name, size_t room)
{
  const char *word = lines_word(&words->rest);
  if (word == NULL || strlen(word) >= room ||
      word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")] != '\0') {
    return words_refuse(words, "%s is a word of small letters", what);
  }
  strcpy(name, word);
  return true;
}

void track_texts_free(struct track_text *texts)
{
  while (texts != NULL) {
    struct track_text *next = texts->next;
    free(texts);
    texts = next;
  }
}
