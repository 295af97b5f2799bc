/*
 * Native plugins of the QKDN manager: the C ABI, version 1.
 *
 * A native plugin is a shared library that exports one function, `qkdn_plugin_entry`, and plays one of the two roles that
 * WebAssembly plugins play: interface handler or FCAPS policy. What each function is asked and may answer is the WIT beside
 * this file (`interface-handler.wit`, `fcaps-policy.wit`); here is only how it crosses the boundary.
 *
 * A native plugin is trusted: it runs inside the manager's process, with all its rights and without a limit on time or
 * memory, and a crash of it is a crash of the manager. It is loaded only where the configuration says `allow_native = true`,
 * and stays loaded until the manager ends.
 *
 * Rules
 * - Whatever is passed belongs to whoever passes it and is valid until the call returns; the other side copies what it keeps.
 *   Exceptions are named: `qkdn_host` lives as long as the instance, `qkdn_plugin` and what it points to for ever.
 * - Answers are given by calling the functions that come with the question. They may be called during that call only, on
 *   the thread that makes it.
 * - Texts are UTF-8 with a length and need no zero at the end. `data` may be NULL if `length` is 0.
 * - One instance is used by one thread at a time. Several instances of one plugin are used by several threads at once.
 * - Nothing may be thrown or unwound through a call in either direction.
 * - Structures begin with `size`, set to `sizeof` by whoever fills them. Later versions of this ABI add members at the end;
 *   a member that lies beyond `size` is not there.
 */
#ifndef QKDN_PLUGIN_H
#define QKDN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QKDN_ABI_VERSION 1u

/* Low eight bits of `qkdn_reports.flags`, and `qkdn_sample.kind`. */
#define QKDN_KIND_NUMBER 0u
#define QKDN_KIND_WORD 1u
#define QKDN_KIND_FLAG 2u

/* UTF-8 text. */
typedef struct qkdn_text {
  const char *data;
  size_t length;
} qkdn_text;

/* A text from a string literal. */
#define QKDN_TEXT(literal) { (literal), sizeof(literal) - 1 }

/* What a plugin may call at any time while its instance exists (WIT `host`). */
typedef struct qkdn_host {
  size_t size;
  void *context;
  /* A line in the plugin's log: `level` is `error`, `warn`, `info` or `debug`. Lines above the configured rate are dropped
   * and counted. */
  void (*log)(void *context, qkdn_text level, qkdn_text message);
} qkdn_host;

/* ------------------------------------------------------------------ interface handlers (WIT `handler`) */

/* What `configure` may say. */
typedef struct qkdn_handler_setup {
  size_t size;
  void *context;
  /* Something wrong with the configuration, at a JSON Pointer. Any problem refuses the manager's configuration. */
  void (*problem)(void *context, qkdn_text path, qkdn_text message);
  /* A name or word of the catalogue whose symbol `bind` is to bring; symbols come in the order of these calls. */
  void (*name)(void *context, qkdn_text name);
  /* Objects of this type are wanted as JSON text. */
  void (*object)(void *context, qkdn_text kind);
  /* The extension of each report is wanted as JSON text. */
  void (*raw)(void *context);
} qkdn_handler_setup;

typedef struct qkdn_fault {
  uint32_t report;
  qkdn_text path;
  qkdn_text message;
} qkdn_fault;

/* An extension object of a report. */
typedef struct qkdn_report_object {
  uint32_t report;
  uint32_t index;
  qkdn_text kind;
  qkdn_text text;
} qkdn_report_object;

/* Status reports as parallel arrays. Report i has the samples from `offsets[i]` up to `offsets[i + 1]`. */
typedef struct qkdn_reports {
  size_t size;
  size_t report_count;
  size_t sample_count;
  const uint32_t *components; /* [report_count] */
  const uint32_t *offsets;    /* [report_count + 1] */
  const uint32_t *names;      /* [sample_count] */
  const uint32_t *resources;  /* [sample_count] */
  const double *values;       /* [sample_count] */
  const uint32_t *flags;      /* [sample_count] */
  const qkdn_fault *faults;
  size_t fault_count;
  const qkdn_report_object *objects;
  size_t object_count;
  const qkdn_text *raw; /* one a report if they are wanted */
  size_t raw_count;
} qkdn_reports;

/* An alarm that a component raised or cleared itself. */
typedef struct qkdn_component_alarm {
  uint32_t report;
  qkdn_text resource;
  qkdn_text alarm_type;
  qkdn_text qualifier;
  qkdn_text severity; /* or `cleared` */
  qkdn_text text;
  qkdn_text event_type;
  qkdn_text probable_cause;
} qkdn_component_alarm;

/* A sample in normal form. */
typedef struct qkdn_sample {
  uint32_t report;
  uint32_t name; /* a symbol from `bind` */
  qkdn_text resource;
  double value;
  uint32_t kind;
} qkdn_sample;

/* How a handler answers. */
typedef struct qkdn_handled {
  size_t size;
  void *context;
  /* A report is not accepted. */
  void (*refuse)(void *context, uint32_t report, qkdn_text reason);
  void (*alarm)(void *context, const qkdn_component_alarm *alarm);
  /* Samples are added in the order of their reports. */
  void (*sample)(void *context, const qkdn_sample *sample);
} qkdn_handled;

typedef struct qkdn_handler {
  size_t size;
  /* Makes an instance. NULL: none could be made. */
  void *(*open)(const qkdn_host *host);
  void (*close)(void *instance);
  /* Takes the reference point (`mk`) and the configuration (JSON text). Called once in each instance, before `bind`. */
  void (*configure)(void *instance, qkdn_text reference_point, qkdn_text config, const qkdn_handler_setup *setup);
  void (*bind)(void *instance, const uint32_t *names, size_t count);
  /* 0: done. Anything else: the call failed, has no effect and is treated like a trap; the instance is closed and another
   * one opened for the next call. The last lines logged at level `error` are shown as the reason. */
  int32_t (*handle)(void *instance, const qkdn_reports *reports, const qkdn_handled *answer);
} qkdn_handler;

/* ------------------------------------------------------------------ FCAPS policies (WIT `policy`) */

/* What `configure` may say; symbols come in the order of these calls, each kind by itself. */
typedef struct qkdn_policy_setup {
  size_t size;
  void *context;
  void (*problem)(void *context, qkdn_text path, qkdn_text message);
  void (*name)(void *context, qkdn_text name);
  void (*word)(void *context, qkdn_text word);
  void (*component)(void *context, qkdn_text component);
  void (*resource)(void *context, qkdn_text resource);
  void (*object)(void *context, qkdn_text kind);
  /* The member of objects that names their subject's resource; `resource` unless this is called. */
  void (*object_resource)(void *context, qkdn_text member);
  /* Values of state for each subject, at most 64; none unless this is called. */
  void (*state_width)(void *context, uint32_t width);
  /* One subject a component, whatever the resource. */
  void (*per_component)(void *context);
} qkdn_policy_setup;

typedef struct qkdn_symbols {
  size_t size;
  const uint32_t *names;
  size_t name_count;
  const uint32_t *words;
  size_t word_count;
  const uint32_t *components;
  size_t component_count;
  const uint32_t *resources;
  size_t resource_count;
} qkdn_symbols;

/* An extension object of a subject. */
typedef struct qkdn_object {
  uint32_t subject;
  uint32_t samples_before;
  qkdn_text kind;
  qkdn_text text;
} qkdn_object;

/* Samples and objects, as parallel arrays. */
typedef struct qkdn_observations {
  size_t size;
  uint64_t now; /* milliseconds since 1970-01-01 UTC */
  size_t subject_count;
  size_t sample_count;
  const uint32_t *components;       /* [subject_count] */
  const uint32_t *resources;        /* [subject_count] */
  const uint32_t *subject;          /* [sample_count] */
  const uint32_t *names;            /* [sample_count] */
  const double *values;             /* [sample_count] */
  const uint32_t *sample_resources; /* [sample_count] */
  const qkdn_object *objects;
  size_t object_count;
} qkdn_observations;

/* A fact kept with an alarm. */
typedef struct qkdn_fact {
  qkdn_text name;
  qkdn_text value;
} qkdn_fact;

typedef struct qkdn_alarm {
  size_t size;
  uint32_t subject;
  qkdn_text alarm_type;
  qkdn_text qualifier;
  qkdn_text severity;
  qkdn_text text;
  qkdn_text event_type;
  qkdn_text probable_cause;
  const double *observed;  /* NULL: none */
  const double *threshold; /* NULL: none */
  const qkdn_text *repair_actions;
  size_t repair_action_count;
  const qkdn_fact *evidence;
  size_t evidence_count;
} qkdn_alarm;

typedef struct qkdn_clearance {
  size_t size;
  uint32_t subject;
  qkdn_text alarm_type;
  qkdn_text qualifier;
  qkdn_text text;
} qkdn_clearance;

/* How a policy answers. Alarms are raised and cleared in the order of the calls. */
typedef struct qkdn_verdicts {
  size_t size;
  void *context;
  void (*raise)(void *context, const qkdn_alarm *alarm);
  void (*clear)(void *context, const qkdn_clearance *clearance);
  /* `on_time` is called for the subject about this time; 0 takes its timer back. */
  void (*timer)(void *context, uint32_t subject, uint64_t at);
  /* A status report request to the subject's component; no names: everything. */
  void (*request)(void *context, uint32_t subject, const qkdn_text *names, size_t count);
} qkdn_verdicts;

typedef struct qkdn_policy {
  size_t size;
  void *(*open)(const qkdn_host *host);
  void (*close)(void *instance);
  void (*configure)(void *instance, qkdn_text config, const qkdn_policy_setup *setup);
  void (*bind)(void *instance, const qkdn_symbols *symbols);
  /* `state` holds the values of each subject, in the order of `components`, and is changed in place. 0: done. Anything else:
   * as `qkdn_handler.handle`; the state is as it was before. */
  int32_t (*evaluate)(void *instance, const qkdn_observations *seen, double *state, const qkdn_verdicts *verdicts);
  /* Subjects whose timer is due; there are no samples. */
  int32_t (*on_time)(void *instance, const qkdn_observations *due, double *state, const qkdn_verdicts *verdicts);
} qkdn_policy;

/* ------------------------------------------------------------------ the plugin */

typedef struct qkdn_plugin {
  size_t size;
  uint32_t abi_version; /* QKDN_ABI_VERSION */
  qkdn_text name;
  qkdn_text version;
  qkdn_text summary;
  qkdn_text config_schema; /* JSON Schema (2020-12) of the configuration */
  const qkdn_handler *handler; /* NULL: it is no handler */
  const qkdn_policy *policy;   /* NULL: it is no policy */
} qkdn_plugin;

/* Exported by every native plugin. `abi_version` is the manager's; NULL: the plugin cannot work with it. */
const qkdn_plugin *qkdn_plugin_entry(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
