/* A native policy and handler that misbehave as their configuration says, as far as a library can without taking the process
 * with it. */
#include "qkdn_plugin.h"

#include <stdlib.h>
#include <string.h>

typedef struct instance {
  const qkdn_host *host;
  char config[256];
} instance;

static qkdn_text text_of(const char *text) {
  qkdn_text result = { text, strlen(text) };
  return result;
}

static int wants(const instance *self, const char *word) {
  return strstr(self->config, word) != NULL;
}

static void *open_instance(const qkdn_host *host) {
  instance *self = calloc(1, sizeof *self);
  self->host = host;
  return self;
}

static void keep(instance *self, qkdn_text config) {
  size_t length = config.length < sizeof self->config - 1 ? config.length : sizeof self->config - 1;
  memcpy(self->config, config.data, length);
}

static void configure_policy(void *opaque, qkdn_text config, const qkdn_policy_setup *setup) {
  instance *self = opaque;
  keep(self, config);
  if (wants(self, "refuse")) {
    setup->problem(setup->context, text_of("/do"), text_of("on purpose"));
  }
  setup->name(setup->context, text_of(wants(self, "unknown") ? "qber_ration" : "qber_ratio"));
  setup->state_width(setup->context, 1);
}

static void bind_policy(void *opaque, const qkdn_symbols *symbols) {
  (void)opaque;
  (void)symbols;
}

static int32_t evaluate(void *opaque, const qkdn_observations *seen, double *state, const qkdn_verdicts *out) {
  instance *self = opaque;
  for (size_t i = 0; i < seen->subject_count; i++) {
    state[i] += 1.0;
  }
  if (wants(self, "fail")) {
    self->host->log(self->host->context, text_of("error"), text_of("the beacon does not answer"));
    return 7;
  }
  if (wants(self, "far")) {
    out->timer(out->context, 99, 1);
  }
  if (wants(self, "latin")) {
    qkdn_clearance clearance = { .size = sizeof clearance, .alarm_type = { "\xe4", 1 } };
    out->clear(out->context, &clearance);
  }
  if (wants(self, "short")) {
    qkdn_clearance clearance = { .size = 8 };
    out->clear(out->context, &clearance);
  }
  if (wants(self, "null")) {
    out->raise(out->context, NULL);
  }
  if (wants(self, "flood")) {
    for (int i = 0; i < 1000000; i++) {
      out->timer(out->context, 0, 1);
    }
  }
  if (wants(self, "order")) {
    qkdn_alarm alarm = { .size = sizeof alarm, .alarm_type = text_of("t"), .severity = text_of("minor") };
    qkdn_clearance clearance = { .size = sizeof clearance, .alarm_type = text_of("t") };
    out->raise(out->context, &alarm);
    out->clear(out->context, &clearance);
  }
  return 0;
}

#ifndef ONLY_POLICY
static void configure_handler(void *opaque, qkdn_text point, qkdn_text config, const qkdn_handler_setup *setup) {
  (void)point;
  keep(opaque, config);
  setup->raw(setup->context);
  setup->object(setup->context, text_of("event"));
}

static void bind_handler(void *opaque, const uint32_t *names, size_t count) {
  (void)opaque;
  (void)names;
  (void)count;
}

static int32_t handle(void *opaque, const qkdn_reports *reports, const qkdn_handled *answer) {
  instance *self = opaque;
  for (uint32_t i = 0; i < reports->raw_count; i++) {
    if (wants(self, "echo")) {
      answer->refuse(answer->context, i, reports->raw[i]);
    }
  }
  return 0;
}

static const qkdn_handler HANDLER = {
  sizeof(qkdn_handler), open_instance, free, configure_handler, bind_handler, handle,
};
#endif

static const qkdn_policy POLICY = {
  sizeof(qkdn_policy), open_instance, free, configure_policy, bind_policy, evaluate, evaluate,
};
static qkdn_plugin plugin = {
  .size = sizeof(qkdn_plugin),
#ifdef OTHER_VERSION
  .abi_version = 9,
#else
  .abi_version = QKDN_ABI_VERSION,
#endif
  .name = QKDN_TEXT("wayward"),
  .version = QKDN_TEXT("1"),
  .summary = QKDN_TEXT("Misbehaves as it is told."),
  .config_schema = QKDN_TEXT("{\"type\":\"object\"}"),
#ifndef ONLY_POLICY
  .handler = &HANDLER,
#endif
  .policy = &POLICY,
};

__attribute__((visibility("default"))) const qkdn_plugin *qkdn_plugin_entry(uint32_t abi_version) {
  return abi_version >= QKDN_ABI_VERSION ? &plugin : NULL;
}
