/* What plugins of the QKDN manager need in C beside the contract: texts, lists that grow, JSON to read.
 *
 * The contract itself is bindings/contract.h, made from wit/. What a plugin answers belongs to the manager afterwards, which frees
 * it: so every text in an answer is one of `text` or of `contract_string_dup`, and every list one of `QKDN_PUSH`. What a plugin is
 * asked belongs to the plugin, which frees it with the functions of contract.h that end in `_free`.
 */
#ifndef QKDN_H
#define QKDN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "contract.h"

/* A text as printf makes it, to be answered. */
__attribute__((format(printf, 1, 2))) contract_string_t text(const char *format, ...);

/* A line in the plugin's log: "error", "warn", "info" or "debug". */
__attribute__((format(printf, 2, 3))) void qkdn_log(const char *level, const char *format, ...);

/* Says why in the plugin's log, and ends the call: it has no effect, and the manager raises an alarm about the plugin. */
__attribute__((format(printf, 1, 2), noreturn)) void qkdn_fail(const char *format, ...);

/* Makes room for one more element. */
void *qkdn_grow(void *list, size_t length, size_t element);

/* Adds an element to a list of the contract: QKDN_PUSH(outcome->timers, ((exports_qkdn_manager_policy_timer_t){0, at})); */
#define QKDN_PUSH(list, value)                                                                                                \
    do {                                                                                                                      \
        (list).ptr = qkdn_grow((list).ptr, (list).len, sizeof *(list).ptr);                                                   \
        (list).ptr[(list).len++] = (value);                                                                                   \
    } while (0)

/* A value in a JSON text, which has to outlive it. What the manager passes on is well-formed. `start` is NULL where there is none. */
typedef struct {
    const char *start;
    const char *end;
} json_t;

/* The text as a value. */
json_t json_of(const contract_string_t *text);
/* The member of an object; none if it has none, or is no object. */
json_t json_member(json_t object, const char *key);
/* The element of an array, from 0; none behind the last. */
json_t json_element(json_t array, size_t index);
/* Whether it is a number, and which. */
bool json_number(json_t value, double *number);
/* Whether it is a string and equal to this one, written without escapes. */
bool json_is(json_t value, const char *string);
/* A string to be answered, with its escapes resolved; empty if it is none. */
contract_string_t json_text(json_t value);

#endif
