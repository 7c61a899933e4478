/* npy_header.c: the header of a .npy file is a Python expression; this reads the one shape of it that NumPy writes. */
#include <string.h>
#include "internal.h"

/* A walk over the header's text that cannot leave it. */
struct cursor {
	const char *file; /* for messages */
	const char *at, *end;
};

static const struct {
	const char *name;
	sluice_element element;
} names[] = {
#define NAME_ROW(name, text, npy, bytes) {npy, SLUICE_ELEMENT_##name},
	SLUICE_ELEMENT_MAP(NAME_ROW)
#undef NAME_ROW
};

static sluice_status refuse(const struct cursor *cursor, const char *expected)
{
	char text[SLUICE__QUOTE_TEXT];

	return sluice_fail(SLUICE_FORMAT, "%s: the header has \"%s\" where %s is expected", cursor->file,
			   sluice__quote(cursor->at, (size_t)(cursor->end - cursor->at), text), expected);
}

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) && *cursor->at)
		cursor->at++;
}

/* Takes one character if it comes next. */
static int take(struct cursor *cursor, char wanted)
{
	skip_space(cursor);
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return 0;
	cursor->at++;
	return 1;
}

static int take_word(struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);

	skip_space(cursor);
	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
		return 0;
	cursor->at += length;
	return 1;
}

/* A quoted text without escapes, which NumPy never needs here. */
static sluice_status read_text(struct cursor *cursor, const char **text, size_t *length)
{
	const char *start, *close;

	skip_space(cursor);
	if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"'))
		return refuse(cursor, "a quoted text");
	start = cursor->at + 1;
	close = memchr(start, *cursor->at, (size_t)(cursor->end - start));
	if (!close)
		return refuse(cursor, "a quoted text that ends");
	*text = start;
	*length = (size_t)(close - start);
	cursor->at = close + 1;
	return SLUICE_OK;
}

static sluice_status read_size(struct cursor *cursor, size_t *out)
{
	size_t value = 0;

	skip_space(cursor);
	if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
		return refuse(cursor, "a size of the shape (0 or more)");
	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
		size_t digit = (size_t)(*cursor->at - '0');

		if (!sluice__size_multiply(&value, 10) || value > SIZE_MAX - digit)
			return refuse(cursor, "a size that this machine can count to");
		value += digit;
		cursor->at++;
	}
	*out = value;
	return SLUICE_OK;
}

static sluice_status read_descr(struct cursor *cursor, sluice_array *array)
{
	const char *text = NULL;
	size_t length = 0;
	char shown[SLUICE__QUOTE_TEXT];

	skip_space(cursor);
	if (cursor->at < cursor->end && *cursor->at == '[')
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: its elements are records, but plain numbers are expected",
				   cursor->file);
	SLUICE__TRY(read_text(cursor, &text, &length));
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (length > 0 && length == strlen(names[k].name) && memcmp(text, names[k].name, length) == 0) {
			array->element = names[k].element;
			return SLUICE_OK;
		}
	}
	return sluice_fail(SLUICE_UNSUPPORTED,
			   "%s: its elements are \"%s\"%s, but <f4, <f8, <i4, <i8 or |u1 is expected", cursor->file,
			   sluice__quote(text, length, shown), length > 0 && *text == '>' ? " (big-endian)" : "");
}

static sluice_status read_order(struct cursor *cursor, sluice_array *array)
{
	(void)array;
	if (take_word(cursor, "False"))
		return SLUICE_OK;
	if (take_word(cursor, "True"))
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: is in Fortran order, but C order is expected",
				   cursor->file);
	return refuse(cursor, "False or True for fortran_order");
}

static sluice_status read_shape(struct cursor *cursor, sluice_array *array)
{
	if (!take(cursor, '('))
		return refuse(cursor, "a shape in parentheses");
	while (!take(cursor, ')')) {
		if (array->rank == SLUICE_RANK_MAX)
			return sluice_fail(SLUICE_UNSUPPORTED, "%s: has more than %d dimensions", cursor->file,
					   SLUICE_RANK_MAX);
		SLUICE__TRY(read_size(cursor, &array->shape[array->rank]));
		array->rank++;
		if (take(cursor, ','))
			continue;
		/* (3) is a number to Python, not a tuple of one. */
		if (array->rank == 1 || !take(cursor, ')'))
			return refuse(cursor, "a comma or the end of the shape");
		return SLUICE_OK;
	}
	return SLUICE_OK;
}

static const struct {
	const char *key;
	sluice_status (*read)(struct cursor *cursor, sluice_array *array);
} fields[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* One "key: value"; seen has a bit for each field. */
static sluice_status read_field(struct cursor *cursor, unsigned *seen, sluice_array *array)
{
	struct cursor before = *cursor;
	const char *key = NULL;
	size_t length = 0;

	SLUICE__TRY(read_text(cursor, &key, &length));
	for (unsigned k = 0; k < FIELDS; k++) {
		if (length != strlen(fields[k].key) || memcmp(key, fields[k].key, length) != 0)
			continue;
		if (*seen & 1u << k)
			return refuse(&before, "each key once");
		*seen |= 1u << k;
		if (!take(cursor, ':'))
			return refuse(cursor, "a colon");
		return fields[k].read(cursor, array);
	}
	return refuse(&before, "the key descr, fortran_order or shape");
}

sluice_status sluice__npy_header_parse(const char *file, const char *text, size_t length, sluice_array *array)
{
	struct cursor cursor = {file, text, text + length};
	unsigned seen = 0;

	if (!take(&cursor, '{'))
		return refuse(&cursor, "an opening brace");
	while (!take(&cursor, '}')) {
		SLUICE__TRY(read_field(&cursor, &seen, array));
		if (!take(&cursor, ',')) {
			if (!take(&cursor, '}'))
				return refuse(&cursor, "a comma or the closing brace");
			break;
		}
	}
	skip_space(&cursor);
	if (cursor.at != cursor.end)
		return refuse(&cursor, "the end of the header");
	for (unsigned k = 0; k < FIELDS; k++)
		if (!(seen & 1u << k))
			return sluice_fail(SLUICE_FORMAT, "%s: the header has no \"%s\"", file, fields[k].key);
	return SLUICE_OK;
}
