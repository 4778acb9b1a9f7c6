//go:build oracle && linux && amd64

// Start-up checks: that this is the code whose layout is assumed, and that
// nothing else of c-toxcore came with it.
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tox/tox.h>

#include "group.h"
#include "oracle.h"

#if !defined(__x86_64__) || !defined(__linux__)
#error "the layout of c-toxcore's structures is known for linux on amd64 only"
#endif
#if TOX_VERSION_MAJOR != 0 || TOX_VERSION_MINOR != 2 || TOX_VERSION_PATCH != 18
#error "the layout of c-toxcore's structures is known for version 0.2.18 only"
#endif

// One function of each member of the archive that must be absent. A weak
// reference takes nothing from an archive and is null if nobody else did.
#define ABSENT(name) extern char weak_##name[] __asm__(#name) __attribute__((weak))
ABSENT(tox_new);
ABSENT(tox_version_major);
ABSENT(m_addfriend);
ABSENT(new_friend_connections);
ABSENT(new_net_crypto);
ABSENT(new_dht);
ABSENT(new_onion);
ABSENT(new_onion_client);
ABSENT(new_networking_ex);
ABSENT(mono_time_new);
ABSENT(system_random);
ABSENT(state_load);
ABSENT(logger_new);
ABSENT(create_recursive_mutex);
ABSENT(add_av_groupchat);

static char problem[200];

__attribute__((format(printf, 1, 2))) static bool fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof(problem), format, args);
    va_end(args);
    return false;
}

static bool nothing_else(void) {
    const struct {
        const char *name;
        const char *at;
    } unwanted[] = {
        {"tox_new", weak_tox_new},
        {"tox_version_major", weak_tox_version_major},
        {"m_addfriend", weak_m_addfriend},
        {"new_friend_connections", weak_new_friend_connections},
        {"new_net_crypto", weak_new_net_crypto},
        {"new_dht", weak_new_dht},
        {"new_onion", weak_new_onion},
        {"new_onion_client", weak_new_onion_client},
        {"new_networking_ex", weak_new_networking_ex},
        {"mono_time_new", weak_mono_time_new},
        {"system_random", weak_system_random},
        {"state_load", weak_state_load},
        {"logger_new", weak_logger_new},
        {"create_recursive_mutex", weak_create_recursive_mutex},
        {"add_av_groupchat", weak_add_av_groupchat},
    };
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); ++i) {
        if (unwanted[i].at != NULL) {
            return fail("%s is linked, and with it more of c-toxcore than group.c", unwanted[i].name);
        }
    }
    return true;
}

// A messenger each of whose words points to another dummy: the dummy that is
// used in a role tells the offset from which group.c took it.
#define WORDS (sizeof(struct messenger) / 8)

struct probe {
    struct node node;
    struct node *dummies;
    struct link link;
    int friend_link;
};

static const uint64_t PROBE_TIME = 1700000000;
static const uint8_t PROBE_GROUP = 7; // the friend's group number

static void probe_setup(struct probe *p) {
    memset(p->link.key, 0xa1, KEY_SIZE);
    memset(p->link.dht, 0xa2, KEY_SIZE);
    p->link.used = p->link.up = p->link.ready = p->link.lossless = p->link.lossy = true;
    for (size_t i = 0; i < WORDS; ++i) {
        struct node *d = &p->dummies[i];
        memcpy((uint8_t *)&p->node.messenger + 8 * i, &d, sizeof(d));
        d->links = &p->link;
        d->link_count = 1;
        d->now = PROBE_TIME;
        memset(d->self_key, 0xb1, KEY_SIZE);
        memset(d->self_dht, 0xb2, KEY_SIZE);
    }
    p->node.now = PROBE_TIME;
    p->node.links = &p->link;
    p->node.link_count = 1;
    p->node.friends = &p->friend_link;
    p->node.friend_count = 1;
}

static bool role_at(const struct probe *p, enum role role, const char *name, size_t want) {
    for (size_t i = 0; i < WORDS; ++i) {
        bool used = (p->dummies[i].seen & (uint32_t)role) != 0;
        if (used != (8 * i == want)) {
            return fail("%s: offset %zu of the messenger is %sused, want %zu", name, 8 * i, used ? "" : "not ", want);
        }
    }
    return true;
}

static bool object_at(const struct probe *p, void *object) {
    for (size_t i = 0; i < WORDS; ++i) {
        const void *word;
        size_t offset = 8 * i;
        memcpy(&word, (const uint8_t *)&p->node.messenger + offset, sizeof(word));
        bool changed = word != &p->dummies[i];
        if (changed != (offset == offsetof(struct messenger, conferences)) || (changed && word != object)) {
            return fail("conference object: word at offset %zu of the messenger is %s", offset, changed ? "new" : "old");
        }
    }
    return true;
}

// After an accept of the only friend: two peers, one connection, in the last slot.
static bool conference_layout(const struct probe *p) {
    const struct conferences *g = p->node.messenger.conferences;
    if (g->count != 1) {
        return fail("%u conferences, want 1", g->count);
    }
    const struct conference *c = &g->list[0];
    const struct connection *k = &c->connections[CONNECTION_SLOTS - 1];
    if (c->status != 2 || c->type != 1 || c->peer_count != 2 || c->frozen_count != 0 || c->max_frozen != 128) {
        return fail("conference: status %u type %u peers %u frozen %u of %u", c->status, c->type, c->peer_count,
                    c->frozen_count, c->max_frozen);
    }
    if (memcmp(c->self_key, p->dummies[0].self_key, KEY_SIZE) != 0 || c->id[0] != 1 || c->id[KEY_SIZE - 1] != 1 || c->self_number != 0) {
        return fail("conference: own key, id or number is elsewhere");
    }
    if (memcmp(c->peers[0].key, p->dummies[0].self_key, KEY_SIZE) != 0 ||
        memcmp(c->peers[0].dht, p->dummies[0].self_dht, KEY_SIZE) != 0 ||
        memcmp(c->peers[1].key, p->link.key, KEY_SIZE) != 0 || memcmp(c->peers[1].dht, p->link.dht, KEY_SIZE) != 0) {
        return fail("peers: keys are elsewhere");
    }
    if (c->peers[1].last_active != PROBE_TIME || c->peers[1].number != 0x0101 || c->peers[1].is_friend != 1) {
        return fail("peers: last active %llu number %u friend %u", (unsigned long long)c->peers[1].last_active,
                    c->peers[1].number, c->peers[1].is_friend);
    }
    if (k->status != 2 || k->reasons != 2 || k->link != 0 || k->remote_group != PROBE_GROUP) {
        return fail("connection: status %u reasons %u link %u group %u", k->status, k->reasons, k->link, k->remote_group);
    }
    if (c->closest[0].used != 1 || memcmp(c->closest[0].key, p->link.key, KEY_SIZE) != 0) {
        return fail("closest peers are elsewhere");
    }
    return true;
}

static bool probe_run(struct probe *p) {
    probe_setup(p);
    void *g = new_groupchats(&p->node, &p->node);
    if (g == NULL || !object_at(p, g)) {
        return g != NULL || fail("new_groupchats failed");
    }
    if (!role_at(p, ROLE_LINKS, "friend connections", offsetof(struct messenger, links))) {
        return false;
    }
    for (size_t i = 0; i < WORDS; ++i) {
        p->dummies[i].seen = 0;
    }
    if (p->node.on_invite == NULL || add_groupchat(g, &p->node, 1) != 0) {
        return fail("a conference cannot be created");
    }
    const struct conferences *o = g;
    uint8_t accept[38] = {1, 0, PROBE_GROUP, 0, 0, 1};
    memcpy(accept + 6, o->list[0].id, KEY_SIZE);
    p->node.on_invite(&p->node, 0, accept, sizeof(accept), NULL);
    return role_at(p, ROLE_NET_CRYPTO, "session layer", offsetof(struct messenger, net_crypto)) &&
           role_at(p, ROLE_DHT, "DHT", offsetof(struct messenger, dht)) &&
           role_at(p, ROLE_RANDOM, "random source", offsetof(struct messenger, random)) && conference_layout(p);
}

static bool name_layout(void) {
    const uint8_t key[KEY_SIZE] = {1};
    struct node *n = oracle_new(key, key, (const uint8_t *)"name", 4, PROBE_TIME, 0);
    bool good = n != NULL && oracle_create(n, PROBE_TIME, 0) == 0;
    if (good) {
        const struct peer *p = oracle_conferences(n)->list[0].peers;
        good = p->name_size == 4 && memcmp(p->name, "name", 4) == 0;
    }
    if (n != NULL) {
        oracle_free(n);
    }
    return good || fail("own name is elsewhere in the messenger or in a peer");
}

static bool verify(void) {
    if (!nothing_else()) {
        return false;
    }
    struct probe *p = calloc(1, sizeof(struct probe));
    struct node *dummies = calloc(WORDS, sizeof(struct node));
    if (p == NULL || dummies == NULL) {
        abort();
    }
    p->dummies = dummies;
    bool good = probe_run(p);
    if (good) { // else its end is not to be trusted
        kill_groupchats(p->node.messenger.conferences);
    }
    for (size_t i = 0; i < WORDS; ++i) {
        free(dummies[i].records);
        free(dummies[i].bytes);
    }
    free(p->node.records);
    free(p->node.bytes);
    free(dummies);
    free(p);
    return good && name_layout();
}

const char *oracle_verify(void) {
    static atomic_int state; // 0 not yet, 1 running, 2 good, 3 bad
    int expected = 0;
    if (atomic_compare_exchange_strong(&state, &expected, 1)) {
        atomic_store(&state, verify() ? 2 : 3);
    }
    while (atomic_load(&state) == 1) {
    }
    return atomic_load(&state) == 2 ? NULL : problem;
}
