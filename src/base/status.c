/* status.c exists to give every failure a name, a text and a sentence that only its own thread sees. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[512];

sluice_status sluice_fail(sluice_status status, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	return status;
}

const char *sluice_last_message(void)
{
	return message;
}

const char *sluice_status_name(sluice_status status)
{
	switch (status) {
#define STATUS_NAME(name, text) \
	case SLUICE_##name:     \
		return "SLUICE_" #name;
		SLUICE_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
	}
	return "SLUICE_UNKNOWN";
}

const char *sluice_status_text(sluice_status status)
{
	switch (status) {
#define STATUS_TEXT(name, text) \
	case SLUICE_##name:     \
		return text;
		SLUICE_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
	}
	return "not a status of this library";
}

#define VERSION_TEXT_OF(major, minor, patch) #major "." #minor "." #patch
#define VERSION_TEXT(major, minor, patch) VERSION_TEXT_OF(major, minor, patch)

const char *sluice_version(void)
{
	return VERSION_TEXT(SLUICE_VERSION_MAJOR, SLUICE_VERSION_MINOR, SLUICE_VERSION_PATCH);
}
