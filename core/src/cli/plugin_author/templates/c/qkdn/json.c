/* A reader of well-formed JSON that copies nothing. */
#include "qkdn.h"

#include <string.h>

static const char *blank(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Behind the string that begins here. */
static const char *behind_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* Behind the value that begins here. */
static const char *behind(const char *at, const char *end) {
    if (at < end && *at == '"')
        return behind_string(at, end);
    if (at >= end || (*at != '{' && *at != '[')) {
        while (at < end && strchr(",]} \t\r\n", *at) == NULL)
            at++;
        return at;
    }
    for (size_t depth = 0; at < end;) {
        if (*at == '"') {
            at = behind_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

static json_t value_at(const char *at, const char *end) {
    at = blank(at, end);
    return (json_t){at, behind(at, end)};
}

json_t json_of(const contract_string_t *text) {
    const char *start = (const char *)text->ptr;
    return value_at(start, start + text->len);
}

/* Behind the comma after `at`, or NULL at the end of the list. */
static const char *next(const char *at, const char *end) {
    at = blank(at, end);
    return at < end && *at == ',' ? blank(at + 1, end) : NULL;
}

static const char *first(json_t list, char opens) {
    if (list.start == NULL || list.start >= list.end || *list.start != opens)
        return NULL;
    const char *at = blank(list.start + 1, list.end);
    return at < list.end && *at != '}' && *at != ']' ? at : NULL;
}

json_t json_member(json_t object, const char *key) {
    size_t length = strlen(key);
    for (const char *at = first(object, '{'); at != NULL;) {
        const char *name_end = behind_string(at, object.end);
        const char *colon = blank(name_end, object.end);
        json_t value = value_at(colon + 1, object.end);
        if ((size_t)(name_end - at) == length + 2 && memcmp(at + 1, key, length) == 0)
            return value;
        at = next(value.end, object.end);
    }
    return (json_t){NULL, NULL};
}

json_t json_element(json_t array, size_t index) {
    for (const char *at = first(array, '['); at != NULL; index--) {
        json_t value = value_at(at, array.end);
        if (index == 0)
            return value;
        at = next(value.end, array.end);
    }
    return (json_t){NULL, NULL};
}

bool json_number(json_t value, double *number) {
    char digits[64];
    size_t length = (size_t)(value.end - value.start);
    if (value.start == NULL || length == 0 || length >= sizeof digits || strchr("-0123456789", *value.start) == NULL)
        return false;
    memcpy(digits, value.start, length);
    digits[length] = '\0';
    *number = strtod(digits, NULL);
    return true;
}

bool json_is(json_t value, const char *string) {
    size_t length = strlen(string);
    return value.start != NULL && (size_t)(value.end - value.start) == length + 2 && *value.start == '"' &&
           memcmp(value.start + 1, string, length) == 0;
}

static unsigned hex(const char *digits) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        value = 16 * value + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value;
}

static char *utf8(char *to, unsigned code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    return to;
}

contract_string_t json_text(json_t value) {
    contract_string_t made = {NULL, 0};
    if (value.start == NULL || value.end - value.start < 2 || *value.start != '"')
        return made;
    char *to = malloc((size_t)(value.end - value.start));
    if (to == NULL)
        qkdn_fail("there is no memory for a text");
    made.ptr = (uint8_t *)to;
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    for (const char *at = value.start + 1; at < value.end - 1; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at != 'u') {
            for (const char *pair = escapes; *pair != '\0'; pair += 2)
                if (*pair == *at)
                    *to++ = pair[1];
            continue;
        }
        if (value.end - at < 6)
            break;
        unsigned code = hex(at + 1);
        at += 4;
        bool is_pair = code >= 0xD800 && code < 0xDC00 && value.end - at > 7 && at[1] == '\\' && at[2] == 'u';
        if (is_pair) {
            code = 0x10000 + ((code - 0xD800) << 10) + (hex(at + 3) - 0xDC00);
            at += 6;
        }
        to = utf8(to, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    }
    made.len = (size_t)((uint8_t *)to - made.ptr);
    if (made.len == 0) {
        /* The manager frees texts that have a length. */
        free(made.ptr);
        made.ptr = NULL;
    }
    return made;
}
