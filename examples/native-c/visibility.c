/*
 * A native interface handler in C, for QKD modules on Mq that report interference visibility and no QBER.
 *
 * In: status reports as the arrays of qkdn_plugin.h. Out: a refusal for what is malformed or out of range, and a sample
 * `qber_ratio` for each `visibility_ratio`: a module that sees interference with visibility V errs in (1 - V) / 2 of its
 * sifted bits. Everything that watches `qber_ratio` works with such modules then.
 *
 *     cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -I ../../wit/v0.1 -o libvisibility.so visibility.c
 */
#include "qkdn_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VISIBILITY, QBER, NAMES };

typedef struct instance {
  const qkdn_host *host;
  uint32_t symbols[NAMES];
} instance;

static qkdn_text text_of(const char *text) {
  qkdn_text result = { text, strlen(text) };
  return result;
}

static void *open_instance(const qkdn_host *host) {
  instance *self = calloc(1, sizeof *self);
  if (self != NULL) {
    self->host = host;
  }
  return self;
}

static void close_instance(void *self) {
  free(self);
}

static void configure(void *self, qkdn_text point, qkdn_text config, const qkdn_handler_setup *setup) {
  (void)self;
  (void)config; /* The schema allows nothing in it. */
  if (point.length != 2 || memcmp(point.data, "mq", 2) != 0) {
    setup->problem(setup->context, text_of(""), text_of("this handler is for modules: `reference_point` has to be \"mq\""));
  }
  setup->name(setup->context, text_of("visibility_ratio"));
  setup->name(setup->context, text_of("qber_ratio"));
}

static void bind(void *opaque, const uint32_t *names, size_t count) {
  instance *self = opaque;
  for (size_t i = 0; i < count && i < NAMES; i++) {
    self->symbols[i] = names[i];
  }
}

static void refuse(const qkdn_handled *answer, uint32_t report, const char *reason) {
  answer->refuse(answer->context, report, text_of(reason));
}

/* Says no to a report that the decoder found malformed; returns whether it did. */
static int refuse_fault(const qkdn_reports *reports, uint32_t report, const qkdn_handled *answer) {
  for (size_t i = 0; i < reports->fault_count; i++) {
    const qkdn_fault *fault = &reports->faults[i];
    if (fault->report == report) {
      char reason[512];
      snprintf(reason, sizeof reason, "%.*s: %.*s", (int)(fault->path.length < 200 ? fault->path.length : 200),
               fault->path.data, (int)(fault->message.length < 200 ? fault->message.length : 200), fault->message.data);
      refuse(answer, report, reason);
      return 1;
    }
  }
  return 0;
}

static int32_t handle(void *opaque, const qkdn_reports *reports, const qkdn_handled *answer) {
  instance *self = opaque;
  for (uint32_t report = 0; report < reports->report_count; report++) {
    if (refuse_fault(reports, report, answer)) {
      continue;
    }
    for (uint32_t i = reports->offsets[report]; i < reports->offsets[report + 1]; i++) {
      double visibility = reports->values[i];
      if (reports->names[i] != self->symbols[VISIBILITY]) {
        continue;
      }
      if ((reports->flags[i] & 0xff) != QKDN_KIND_NUMBER || !(visibility >= 0.0 && visibility <= 1.0)) {
        char reason[160];
        snprintf(reason, sizeof reason, "extension[%u].values.visibility_ratio: %g is not between 0 and 1",
                 (unsigned)(reports->flags[i] >> 8), visibility);
        refuse(answer, report, reason);
        break;
      }
      if (reports->resources[i] != 0) {
        continue; /* A resource's name is not known here; a module reports its own visibility without one. */
      }
      qkdn_sample sample = {
        .report = report,
        .name = self->symbols[QBER],
        .resource = { NULL, 0 },
        .value = (1.0 - visibility) / 2.0,
        .kind = QKDN_KIND_NUMBER,
      };
      answer->sample(answer->context, &sample);
    }
  }
  return 0;
}

static const qkdn_handler HANDLER = {
  .size = sizeof(qkdn_handler),
  .open = open_instance,
  .close = close_instance,
  .configure = configure,
  .bind = bind,
  .handle = handle,
};

static const qkdn_plugin PLUGIN = {
  .size = sizeof(qkdn_plugin),
  .abi_version = QKDN_ABI_VERSION,
  .name = QKDN_TEXT("visibility"),
  .version = QKDN_TEXT("0.1.0"),
  .summary = QKDN_TEXT("Derives the QBER of modules that report visibility."),
  .config_schema = QKDN_TEXT("{\"type\":\"object\",\"additionalProperties\":false}"),
  .handler = &HANDLER,
};

__attribute__((visibility("default"))) const qkdn_plugin *qkdn_plugin_entry(uint32_t abi_version) {
  return abi_version >= QKDN_ABI_VERSION ? &PLUGIN : NULL;
}
