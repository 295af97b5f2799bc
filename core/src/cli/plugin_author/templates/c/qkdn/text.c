/* Texts, log and lists. */
#include "qkdn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static contract_string_t formatted(const char *format, va_list arguments) {
    char line[1024];
    int length = vsnprintf(line, sizeof line, format, arguments);
    contract_string_t made;
    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof line)
        length = sizeof line - 1;
    contract_string_dup_n(&made, line, (size_t)length);
    return made;
}

contract_string_t text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    contract_string_t made = formatted(format, arguments);
    va_end(arguments);
    return made;
}

static void log_line(const char *level, const char *format, va_list arguments) {
    contract_string_t message = formatted(format, arguments), of;
    contract_string_set(&of, level);
    qkdn_manager_host_log(&of, &message);
    contract_string_free(&message);
}

void qkdn_log(const char *level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(level, format, arguments);
    va_end(arguments);
}

void qkdn_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line("error", format, arguments);
    va_end(arguments);
    __builtin_trap();
}

void *qkdn_grow(void *list, size_t length, size_t element) {
    /* Room for 4, 8, 16 and so on: full when the length is such a number. */
    if (length != 0 && (length < 4 || (length & (length - 1)) != 0))
        return list;
    size_t room = length < 4 ? 4 : 2 * length;
    void *grown = realloc(list, room * element);
    if (grown == NULL)
        qkdn_fail("there is no memory for a list of %zu elements", room);
    return grown;
}
