/* libyaml: the event parser. An event's data is a union, of which Swift sees no member's case: wrappers only. */
#pragma once
#include <yaml.h>

static inline const char *apus_yaml_value(const yaml_event_t *e) { return (const char *)e->data.scalar.value; }
static inline size_t apus_yaml_length(const yaml_event_t *e) { return e->data.scalar.length; }
/* Written without quotes and without a tag: what `null` and `~` mean nothing in. */
static inline int apus_yaml_is_plain(const yaml_event_t *e) {
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && e->data.scalar.plain_implicit;
}
/* The anchor that an event gives to its node, or that an alias names; NULL for none. */
static inline const char *apus_yaml_anchor(const yaml_event_t *e) {
    switch (e->type) {
    case YAML_SCALAR_EVENT: return (const char *)e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return (const char *)e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return (const char *)e->data.mapping_start.anchor;
    case YAML_ALIAS_EVENT: return (const char *)e->data.alias.anchor;
    default: return NULL;
    }
}
