//go:build oracle && linux && amd64

// A peer's life: the calls that the Go side makes, and what group.c reports
// while they run.
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "oracle.h"

#define SECTION_HEADER_SIZE 8
#define SECTION_CONFERENCES 20
#define LOSSY_AUDIO 0xc0
#define MESSAGE_FREEZE 18

static struct conferences *object_of(const struct node *n) {
    return n->messenger.conferences;
}

const struct conferences *oracle_conferences(const struct node *n) {
    return object_of(n);
}

static const struct conference *conference_at(const struct node *n, uint32_t group) {
    const struct conferences *g = object_of(n);
    return g == NULL || group >= g->count ? NULL : &g->list[group];
}

// Shadows.

static struct member *members(struct member *to, uint32_t *room, uint32_t count, const struct peer *from) {
    if (count > *room) {
        *room = 2 * count;
        to = realloc(to, *room * sizeof(struct member));
        if (to == NULL) {
            abort();
        }
    }
    for (uint32_t i = 0; i < count; ++i) {
        memcpy(to[i].key, from[i].key, KEY_SIZE);
        to[i].number = from[i].number;
    }
    return to;
}

static void shadow_sync(struct shadow *s, const struct conference *c) {
    s->active = members(s->active, &s->active_room, c->peer_count, c->peers);
    s->active_count = c->peer_count;
    s->frozen = members(s->frozen, &s->frozen_room, c->frozen_count, c->frozen);
    s->frozen_count = c->frozen_count;
}

static struct shadow *shadow_at(struct node *n, uint32_t group) {
    if (group >= n->shadow_count) {
        uint32_t count = group + 1;
        n->shadows = realloc(n->shadows, count * sizeof(struct shadow));
        if (n->shadows == NULL) {
            abort();
        }
        memset(n->shadows + n->shadow_count, 0, (count - n->shadow_count) * sizeof(struct shadow));
        n->shadow_count = count;
    }
    return &n->shadows[group];
}

// After a call: the lists can have changed once more behind the last event.
static void shadows_refresh(struct node *n, bool all) {
    const struct conferences *g = object_of(n);
    n->removal = 0;
    for (uint32_t i = 0; g != NULL && i < g->count; ++i) {
        struct shadow *s = shadow_at(n, i);
        if (s->stale || all) {
            shadow_sync(s, &g->list[i]);
            s->stale = false;
        }
    }
}

// Callbacks of group.c.

static struct record *event(struct node *n, uint32_t group, enum event_kind kind) {
    const struct conference *c = conference_at(n, group);
    struct record *r = record_add(n, RECORD_EVENT);
    r->event = (uint8_t)kind;
    r->index = -1;
    if (c != NULL) {
        r->type = c->type;
        memcpy(r->id, c->id, KEY_SIZE);
        r->active = c->peer_count;
        r->frozen = c->frozen_count;
    }
    return r;
}

static struct record *peer_event(struct node *n, uint32_t group, uint32_t index, enum event_kind kind,
                                 const uint8_t *data, size_t size) {
    const struct conference *c = conference_at(n, group);
    struct record *r = event(n, group, kind);
    if (index != UINT32_MAX) {
        r->index = (int32_t)index;
        memcpy(r->peer, c->peers[index].key, KEY_SIZE);
    }
    record_bytes(n, r, data, (uint32_t)size);
    return r;
}

static void on_invite(void *m, uint32_t friend_number, int type, const uint8_t *cookie, size_t size, void *userdata) {
    struct node *n = m;
    struct record *r = record_add(n, RECORD_EVENT);
    (void)size;
    (void)userdata;
    r->event = EVENT_INVITATION;
    r->index = -1;
    memcpy(r->peer, n->links[n->friends[friend_number]].key, KEY_SIZE);
    r->group = (uint16_t)(cookie[0] << 8 | cookie[1]);
    r->type = (uint8_t)type;
    memcpy(r->id, cookie + 3, KEY_SIZE);
}

static void on_connected(void *m, uint32_t group, void *userdata) {
    (void)userdata;
    event(m, group, EVENT_CONNECTED);
}

static void on_message(void *m, uint32_t group, uint32_t index, int type, const uint8_t *text, size_t size, void *userdata) {
    struct node *n = m;
    struct record *r = peer_event(n, group, index, EVENT_TEXTED, text, size);
    const uint8_t *p = n->packet;
    (void)userdata;
    r->message = type == 0 ? 64 : 65;
    r->number = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
}

static void on_title(void *m, uint32_t group, uint32_t index, const uint8_t *title, size_t size, void *userdata) {
    (void)userdata;
    peer_event(m, group, index, EVENT_TITLED, title, size);
}

static void on_peer_name(void *m, uint32_t group, uint32_t index, const uint8_t *name, size_t size, void *userdata) {
    (void)userdata;
    peer_event(m, group, index, EVENT_PEER_RENAMED, name, size);
}

static int on_lossy(void *object, uint32_t group, uint32_t index, void *peer_object, const uint8_t *data, uint16_t size) {
    struct node *n = object;
    struct record *r = peer_event(n, group, index, EVENT_AUDIO_HEARD, data, size);
    (void)peer_object;
    r->number = (uint32_t)(n->packet[5] << 8 | n->packet[6]);
    return 0;
}

// The event says only that the active list has changed. It comes once for each
// change: one peer more, at the end, or one peer less, its place taken by the
// last one.
static void on_list_changed(void *m, uint32_t group, void *userdata) {
    struct node *n = m;
    const struct conference *c = conference_at(n, group);
    struct shadow *s = shadow_at(n, group);
    struct record *r = event(n, group, EVENT_PEER_JOINED);
    (void)userdata;
    n->removal = 0;
    if (c->peer_count > s->active_count) {
        const struct peer *p = &c->peers[c->peer_count - 1];
        r->index = (int32_t)c->peer_count - 1;
        memcpy(r->peer, p->key, KEY_SIZE);
        for (uint32_t i = 0; i < s->frozen_count; ++i) {
            if (s->frozen[i].number == p->number && memcmp(s->frozen[i].key, p->key, KEY_SIZE) == 0) {
                r->event = EVENT_PEER_THAWED;
            }
        }
    } else {
        uint32_t i = 0;
        while (i < c->peer_count && s->active[i].number == c->peers[i].number &&
               memcmp(s->active[i].key, c->peers[i].key, KEY_SIZE) == 0) {
            ++i;
        }
        r->event = EVENT_PEER_LEFT;
        r->index = (int32_t)i;
        memcpy(r->peer, s->active[i].key, KEY_SIZE);
        n->removal = n->record_count;
    }
    shadow_sync(s, c);
    s->stale = true;
}

// Life.

struct node *oracle_new(const uint8_t *key, const uint8_t *dht, const uint8_t *name, uint16_t name_size,
                        uint64_t now, uintptr_t random) {
    struct node *n = calloc(1, sizeof(struct node));
    if (n == NULL) {
        return NULL;
    }
    n->messenger.random = n;
    n->messenger.net_crypto = n;
    n->messenger.dht = n;
    n->messenger.links = n;
    memcpy(n->messenger.name, name, name_size);
    n->messenger.name_size = name_size;
    memcpy(n->self_key, key, KEY_SIZE);
    memcpy(n->self_dht, dht, KEY_SIZE);
    n->now = now;
    n->random = random;
    void *g = new_groupchats(n, n);
    if (g == NULL) {
        free(n);
        return NULL;
    }
    g_callback_group_invite(g, on_invite);
    g_callback_group_connected(g, on_connected);
    g_callback_group_message(g, on_message);
    g_callback_group_title(g, on_title);
    g_callback_peer_name(g, on_peer_name);
    g_callback_peer_list_changed(g, on_list_changed);
    group_lossy_packet_registerhandler(g, LOSSY_AUDIO, on_lossy);
    return n;
}

void oracle_sound_lossy(struct node *n) {
    n->lossy_sound = true;
}

void oracle_forgetful(struct node *n) {
    n->forgetful = true;
}

void oracle_quit(struct node *n) {
    if (object_of(n) != NULL) {
        kill_groupchats(object_of(n));
        n->messenger.conferences = NULL;
    }
}

void oracle_free(struct node *n) {
    oracle_quit(n);
    for (uint32_t i = 0; i < n->shadow_count; ++i) {
        free(n->shadows[i].active);
        free(n->shadows[i].frozen);
    }
    free(n->shadows);
    free(n->records);
    free(n->bytes);
    free(n->links);
    free(n->friends);
    free(n);
}

void oracle_clear(struct node *n) {
    n->record_count = 0;
    n->byte_count = 0;
}

// Lossy packets are handed to the conference's object.
static void adopt_all(struct node *n) {
    for (uint32_t i = 0; i < object_of(n)->count; ++i) {
        group_set_object(object_of(n), i, n);
    }
    shadows_refresh(n, true);
}

int oracle_load(struct node *n, const uint8_t *data, uint32_t size) {
    int status = 0;
    conferences_load_state_section(object_of(n), data, size, SECTION_CONFERENCES, &status);
    adopt_all(n);
    oracle_clear(n); // a client sets its callbacks later
    return status;
}

uint32_t oracle_save_size(struct node *n) {
    return conferences_size(object_of(n)) - SECTION_HEADER_SIZE;
}

void oracle_save(struct node *n, uint8_t *to) {
    uint32_t size = conferences_size(object_of(n));
    uint8_t *all = calloc(1, size);
    if (all == NULL) {
        abort();
    }
    conferences_save(object_of(n), all);
    memcpy(to, all + SECTION_HEADER_SIZE, size - SECTION_HEADER_SIZE);
    free(all);
}

// Links.

static void friend_add(struct node *n, const uint8_t *key) {
    int id = link_make(n, key);
    int number = 0;
    if (n->links[id].friend_number >= 0) {
        return;
    }
    while (number < n->friend_count && n->friends[number] >= 0) {
        ++number;
    }
    if (number == n->friend_count) {
        int *friends = realloc(n->friends, (size_t)(n->friend_count + 1) * sizeof(int));
        if (friends == NULL) {
            abort();
        }
        n->friends = friends;
        n->friend_count++;
    }
    n->friends[number] = id;
    n->links[id].friend_number = number;
}

void oracle_set_friend(struct node *n, const uint8_t *key, bool on) {
    if (on) {
        friend_add(n, key);
        return;
    }
    int id = link_of(n, key);
    if (id < 0 || n->links[id].friend_number < 0) {
        return;
    }
    struct link *l = &n->links[id];
    n->friends[l->friend_number] = -1;
    l->friend_number = -1;
    l->ready = false;
    if (l->references == 0) {
        memset(l, 0, sizeof(*l));
    }
}

// A forgetful node whose connection ends: its entries go back to connecting, and
// that is all. group.c would give up everybody else with the last of them.
static void link_lost(struct node *n, int id) {
    struct conferences *g = object_of(n);
    for (uint32_t i = 0; i < g->count; ++i) {
        for (int k = 0; k < CONNECTION_SLOTS; ++k) {
            struct connection *c = &g->list[i].connections[k];
            if (c->status != 0 && (int)c->link == id) {
                c->status = 1;
            }
        }
    }
}

// The hook for all connections runs before the connection's own, which may
// exist only because of it.
static void link_status(struct node *n, const uint8_t *key, bool up) {
    int id = link_of(n, key);
    if (n->on_any_status != NULL) {
        n->on_any_status(n->any_object, id, up, NULL);
    }
    id = link_of(n, key);
    if (id >= 0 && n->links[id].on_status != NULL) {
        struct link *l = &n->links[id];
        l->on_status(l->object, l->number, up, NULL);
    }
    shadows_refresh(n, false);
}

void oracle_online(struct node *n, uint64_t now, const uint8_t *key, const uint8_t *dht) {
    int id = link_of(n, key);
    if (id < 0 || n->links[id].up) {
        return;
    }
    struct link *l = &n->links[id];
    n->now = now;
    l->up = l->lossless = l->lossy = true;
    memcpy(l->dht, dht, KEY_SIZE);
    link_status(n, key, true);
}

void oracle_offline(struct node *n, uint64_t now, const uint8_t *key) {
    int id = link_of(n, key);
    if (id < 0 || !n->links[id].up) {
        return;
    }
    struct link *l = &n->links[id];
    n->now = now;
    l->up = l->ready = l->lossless = l->lossy = false;
    if (n->forgetful) {
        link_lost(n, id);
        return;
    }
    link_status(n, key, false);
}

void oracle_ready(struct node *n, const uint8_t *key) {
    int id = link_of(n, key);
    if (id >= 0 && n->links[id].up && n->links[id].friend_number >= 0) {
        n->links[id].ready = true;
    }
}

void oracle_writable(struct node *n, const uint8_t *key, bool lossless, bool lossy) {
    int id = link_of(n, key);
    if (id >= 0) {
        n->links[id].lossless = lossless;
        n->links[id].lossy = lossy;
    }
}

// How many lossy packets one flood is meant to send: to every online neighbour
// that is not closest, and to one that is. What group.c sends beyond that goes to
// whatever stands in slot 0 of its table.
static uint32_t lossy_receivers(const struct node *n, uint32_t group, int except) {
    const struct conference *c = conference_at(n, group);
    uint32_t count = 0;
    uint32_t closest = 0;
    for (int i = 0; c != NULL && i < CONNECTION_SLOTS; ++i) {
        const struct connection *k = &c->connections[i];
        if (k->status == 2 && (int)k->link != except) {
            if ((k->reasons & 1) == 0) {
                ++count;
            } else {
                closest = 1;
            }
        }
    }
    return count + closest;
}

// Packets that c-toxcore did not know before 0.2.8.
static bool unknown_of_old(const uint8_t *data, uint32_t size) {
    return data[0] == PACKET_REJOIN || (data[0] == 0x63 && size > 9 && data[9] == MESSAGE_FREEZE);
}

// 0, or -1 when there is no session with that key.
int oracle_receive(struct node *n, uint64_t now, const uint8_t *key, const uint8_t *data, uint32_t size) {
    int id = link_of(n, key);
    if (id < 0 || !n->links[id].up) {
        return -1;
    }
    struct link l = n->links[id];
    n->now = now;
    if (n->forgetful && unknown_of_old(data, size)) {
        return 0;
    }
    n->packet = data;
    if (data[0] == 0x60) {
        if (l.friend_number >= 0 && l.ready && size > 1) {
            n->on_invite(n, (uint32_t)l.friend_number, data + 1, (uint16_t)(size - 1), NULL);
        }
    } else if (data[0] == 0xc7) {
        if (l.on_lossy != NULL) {
            n->lossy_due = size < 3 ? 0 : lossy_receivers(n, (uint32_t)(data[1] << 8 | data[2]), id);
            l.on_lossy(l.object, l.number, data, (uint16_t)size, NULL);
        }
    } else if (l.on_data != NULL) {
        l.on_data(l.object, l.number, data, (uint16_t)size, NULL);
    }
    n->packet = NULL;
    shadows_refresh(n, false);
    return 0;
}

void oracle_tick(struct node *n, uint64_t now) {
    n->now = now;
    do_groupchats(object_of(n), NULL);
    shadows_refresh(n, false);
}

// The application's calls; results are those of group.c.

static int32_t friend_of(const struct node *n, const uint8_t *key) {
    int id = link_of(n, key);
    return id < 0 ? -1 : n->links[id].friend_number;
}

bool oracle_is_friend(const struct node *n, const uint8_t *key) {
    return friend_of(n, key) >= 0;
}

int oracle_create(struct node *n, uint64_t now, uint8_t type) {
    n->now = now;
    int group = add_groupchat(object_of(n), n->messenger.random, type);
    adopt_all(n);
    return group;
}

int oracle_invite(struct node *n, uint64_t now, uint32_t group, const uint8_t *key) {
    n->now = now;
    return invite_friend(object_of(n), (uint32_t)friend_of(n, key), group);
}

int oracle_join(struct node *n, uint64_t now, const uint8_t *key, uint8_t type, const uint8_t *cookie, uint32_t size) {
    n->now = now;
    int group = join_groupchat(object_of(n), (uint32_t)friend_of(n, key), type, cookie, (uint16_t)size);
    adopt_all(n);
    return group;
}

int oracle_send(struct node *n, uint64_t now, uint32_t group, bool action, const uint8_t *text, uint16_t size) {
    n->now = now;
    return action ? group_action_send(object_of(n), group, text, size)
                  : group_message_send(object_of(n), group, text, size);
}

int oracle_title(struct node *n, uint64_t now, uint32_t group, const uint8_t *title, uint8_t size) {
    n->now = now;
    return group_title_send(object_of(n), group, title, size);
}

void oracle_name(struct node *n, uint64_t now, const uint8_t *name, uint16_t size) {
    n->now = now;
    memset(n->messenger.name, 0, sizeof(n->messenger.name));
    memcpy(n->messenger.name, name, size);
    n->messenger.name_size = size;
    send_name_all_groups(object_of(n));
}

int oracle_max_frozen(struct node *n, uint64_t now, uint32_t group, uint32_t count) {
    n->now = now;
    int result = group_set_max_frozen(object_of(n), group, count);
    shadows_refresh(n, true);
    return result;
}

int oracle_send_lossy(struct node *n, uint64_t now, uint32_t group, const uint8_t *data, uint16_t size) {
    n->now = now;
    n->lossy_due = lossy_receivers(n, group, -1);
    return send_group_lossy_packet(object_of(n), group, data, size);
}

int oracle_leave(struct node *n, uint64_t now, uint32_t group) {
    n->now = now;
    bool done = del_groupchat(object_of(n), group, true);
    shadows_refresh(n, true);
    return done ? 0 : -1;
}
