/* What the C library would ask of an operating system. A manager gives plugins none: what is printed becomes lines of the plugin's
 * log, and whatever else is asked for ends the call, with its name in the log.
 */
#ifdef __wasm__
#include "qkdn.h"

#include <stdint.h>

#define ASKED(name) __imported_wasi_snapshot_preview1_##name
#define REFUSED(name, ...)                                                                                                    \
    _Noreturn int32_t ASKED(name)(__VA_ARGS__);                                                                               \
    _Noreturn int32_t ASKED(name)(__VA_ARGS__) { qkdn_fail("a plugin has no " #name); }

typedef struct {
    const char *start;
    size_t length;
} part_t;

int32_t ASKED(fd_write)(int32_t file, int32_t parts, int32_t count, int32_t written);
int32_t ASKED(fd_write)(int32_t file, int32_t parts, int32_t count, int32_t written) {
    const part_t *part = (const part_t *)parts;
    size_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += part[i].length;
        if (part[i].length > 1 || (part[i].length == 1 && *part[i].start != '\n'))
            qkdn_log(file == 1 ? "info" : "warn", "%.*s", (int)part[i].length, part[i].start);
    }
    *(size_t *)written = sum;
    return 0;
}

void ASKED(proc_exit)(int32_t code);
void ASKED(proc_exit)(int32_t code) {
    qkdn_fail("exit(%d)", (int)code);
}

/* Standard output is no terminal and is never closed; the C library asks when it prints. */
int32_t ASKED(fd_fdstat_get)(int32_t file, int32_t status);
int32_t ASKED(fd_fdstat_get)(int32_t file, int32_t status) {
    (void)file, (void)status;
    return 8;
}
int32_t ASKED(fd_close)(int32_t file);
int32_t ASKED(fd_close)(int32_t file) {
    (void)file;
    return 0;
}
int32_t ASKED(fd_seek)(int32_t file, int64_t offset, int32_t from, int32_t to);
int32_t ASKED(fd_seek)(int32_t file, int64_t offset, int32_t from, int32_t to) {
    (void)file, (void)offset, (void)from, (void)to;
    return 29;
}
/* Before the first call. */
int32_t ASKED(environ_sizes_get)(int32_t count, int32_t size);
int32_t ASKED(environ_sizes_get)(int32_t count, int32_t size) {
    *(uint32_t *)count = *(uint32_t *)size = 0;
    return 0;
}
int32_t ASKED(environ_get)(int32_t texts, int32_t buffer);
int32_t ASKED(environ_get)(int32_t texts, int32_t buffer) {
    (void)texts, (void)buffer;
    return 0;
}
int32_t ASKED(fd_prestat_get)(int32_t file, int32_t status);
int32_t ASKED(fd_prestat_get)(int32_t file, int32_t status) {
    (void)file, (void)status;
    return 8;
}

REFUSED(fd_read, int32_t a, int32_t b, int32_t c, int32_t d)
REFUSED(fd_prestat_dir_name, int32_t a, int32_t b, int32_t c)
REFUSED(fd_fdstat_set_flags, int32_t a, int32_t b)
REFUSED(path_open, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int64_t f, int64_t g, int32_t h, int32_t i)
REFUSED(clock_time_get, int32_t a, int64_t b, int32_t c)
REFUSED(random_get, int32_t a, int32_t b)
#endif
