//go:build oracle && linux && amd64

// The 40 functions that group.c expects from the rest of c-toxcore. They decide
// nothing: they keep the table of friend connections and write down what is
// asked for. A handle of any kind is the node.
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

typedef struct node node;

static node *as(const void *handle, enum role role) {
    node *n = (node *)handle;
    n->seen |= role;
    return n;
}

static struct link *link_at(const node *n, int id) {
    if (id < 0 || id >= n->link_count || !n->links[id].used) {
        return NULL;
    }
    return &n->links[id];
}

int link_of(const node *n, const uint8_t *key) {
    for (int i = 0; i < n->link_count; ++i) {
        if (n->links[i].used && memcmp(n->links[i].key, key, KEY_SIZE) == 0) {
            return i;
        }
    }
    return -1;
}

// The connection to key, made with the lowest free number if there is none.
int link_make(node *n, const uint8_t *key) {
    int id = link_of(n, key);
    if (id >= 0) {
        return id;
    }
    for (id = 0; id < n->link_count && n->links[id].used; ++id) {
    }
    if (id == n->link_count) {
        n->links = realloc(n->links, (size_t)(n->link_count + 1) * sizeof(struct link));
        if (n->links == NULL) {
            abort();
        }
        n->link_count++;
    }
    struct link *l = &n->links[id];
    memset(l, 0, sizeof(*l));
    l->used = true;
    l->friend_number = -1;
    memcpy(l->key, key, KEY_SIZE);
    return id;
}

// Records.

static void *grow(void *p, uint32_t *room, uint32_t need, size_t size) {
    if (need <= *room) {
        return p;
    }
    *room = need < 64 ? 128 : 2 * need;
    p = realloc(p, (size_t)*room * size);
    if (p == NULL) {
        abort();
    }
    return p;
}

struct record *record_add(node *n, enum record_op op) {
    n->records = grow(n->records, &n->record_room, n->record_count + 1, sizeof(struct record));
    struct record *r = &n->records[n->record_count++];
    memset(r, 0, sizeof(*r));
    r->op = (uint8_t)op;
    r->data = n->byte_count;
    return r;
}

void record_bytes(node *n, struct record *r, const uint8_t *data, uint32_t size) {
    n->bytes = grow(n->bytes, &n->byte_room, n->byte_count + size, 1);
    memcpy(n->bytes + n->byte_count, data, size);
    r->data = n->byte_count;
    r->size = size;
    n->byte_count += size;
}

static bool write_packet(node *n, int id, const uint8_t *data, uint16_t size, bool lossy) {
    const struct link *l = link_at(n, id);
    if (n->forgetful && data[0] == PACKET_REJOIN) {
        return false; // group.c then makes no entry for it, either
    }
    bool taken = l != NULL && l->up && (lossy ? l->lossy : l->lossless) && (data[0] != 0x60 || l->ready);
    struct record *r = record_add(n, taken ? RECORD_SEND : RECORD_REFUSED);
    r->lossy = lossy;
    if (l != NULL) {
        memcpy(r->peer, l->key, KEY_SIZE);
    }
    record_bytes(n, r, data, size);
    return taken;
}

// Friend connections.

unsigned friend_con_connected(const void *f, int id) {
    const node *n = as(f, ROLE_LINKS);
    const struct link *l = link_at(n, id);
    if (l == NULL) {
        return 0;
    }
    return l->up ? 2 : 1;
}

int friend_connection_callbacks(const void *f, int id, unsigned index, status_fn *on_status, data_fn *on_data,
                                data_fn *on_lossy, void *object, int number) {
    node *n = as(f, ROLE_LINKS);
    struct link *l = link_at(n, id);
    (void)index;
    if (l == NULL) {
        return -1;
    }
    l->on_status = on_status;
    l->on_data = on_data;
    l->on_lossy = on_lossy;
    l->object = object;
    l->number = number;
    return 0;
}

// The session's handle is the connection's number, also when it is down: then a
// refused packet has an addressee.
int friend_connection_crypt_connection_id(const void *f, int id) {
    const node *n = as(f, ROLE_LINKS);
    return link_at(n, id) == NULL ? -1 : id;
}

int friend_connection_lock(const void *f, int id) {
    node *n = as(f, ROLE_LINKS);
    struct link *l = link_at(n, id);
    if (l == NULL) {
        return -1;
    }
    if (l->references++ == 0) {
        struct record *r = record_add(n, RECORD_WANT);
        memcpy(r->peer, l->key, KEY_SIZE);
        memcpy(r->dht, l->dht, KEY_SIZE);
    }
    return 0;
}

void *friendconn_net_crypto(const void *f) {
    return as(f, ROLE_LINKS);
}

int get_friendcon_public_keys(uint8_t *key, uint8_t *dht, const void *f, int id) {
    const node *n = as(f, ROLE_LINKS);
    const struct link *l = link_at(n, id);
    if (l == NULL) {
        return -1;
    }
    if (key != NULL) {
        memcpy(key, l->key, KEY_SIZE);
    }
    if (dht != NULL) {
        memcpy(dht, l->dht, KEY_SIZE);
    }
    return 0;
}

int getfriend_conn_id_pk(const void *f, const uint8_t *key) {
    node *n = as(f, ROLE_LINKS);
    // The first thing after a removal's event that only freezing does: it looks
    // for a connection over which to send a rejoin.
    if (n->removal != 0) {
        struct record *r = &n->records[n->removal - 1];
        if (memcmp(r->peer, key, KEY_SIZE) == 0) {
            r->event = EVENT_PEER_FROZEN;
        }
        n->removal = 0;
    }
    return link_of(n, key);
}

int new_friend_connection(void *f, const uint8_t *key) {
    node *n = as(f, ROLE_LINKS);
    int id = link_make(n, key);
    friend_connection_lock(n, id);
    return id;
}

int kill_friend_connection(void *f, int id) {
    node *n = as(f, ROLE_LINKS);
    struct link *l = link_at(n, id);
    if (l == NULL || l->references == 0) {
        return -1;
    }
    if (--l->references == 0) {
        struct record *r = record_add(n, RECORD_RELEASE);
        memcpy(r->peer, l->key, KEY_SIZE);
        if (l->friend_number < 0) {
            memset(l, 0, sizeof(*l));
        }
    }
    return 0;
}

void set_dht_temp_pk(void *f, int id, const uint8_t *dht, void *userdata) {
    node *n = as(f, ROLE_LINKS);
    struct link *l = link_at(n, id);
    (void)userdata;
    if (l == NULL) {
        return;
    }
    memcpy(l->dht, dht, KEY_SIZE);
    for (uint32_t i = n->record_count; i > 0; --i) {
        struct record *r = &n->records[i - 1];
        if (r->op == RECORD_WANT && memcmp(r->peer, l->key, KEY_SIZE) == 0) {
            memcpy(r->dht, dht, KEY_SIZE);
            return;
        }
    }
}

void set_global_status_callback(void *f, any_status_fn *fn, void *object) {
    node *n = as(f, ROLE_LINKS);
    n->on_any_status = fn;
    n->any_object = object;
}

// Sessions and keys.

int64_t write_cryptpacket(void *c, int id, const uint8_t *data, uint16_t size, bool congestion) {
    (void)congestion;
    return write_packet(as(c, ROLE_LINKS), id, data, size, false) ? 1 : -1;
}

int send_lossy_cryptpacket(void *c, int id, const uint8_t *data, uint16_t size) {
    node *n = as(c, ROLE_LINKS);
    if (n->lossy_sound && n->lossy_due-- == 0) {
        n->lossy_due = 0;
        return -1;
    }
    return write_packet(n, id, data, size, true) ? 0 : -1;
}

const uint8_t *nc_get_self_public_key(const void *c) {
    return as(c, ROLE_NET_CRYPTO)->self_key;
}

const uint8_t *dht_get_self_public_key(const void *d) {
    return as(d, ROLE_DHT)->self_dht;
}

// The messenger.

int32_t getfriend_id(const void *m, const uint8_t *key) {
    const node *n = m;
    int id = link_of(n, key);
    return id < 0 ? -1 : n->links[id].friend_number;
}

int getfriendcon_id(const void *m, int32_t friend_number) {
    const node *n = m;
    if (friend_number < 0 || friend_number >= n->friend_count) {
        return -1;
    }
    return n->friends[friend_number];
}

void m_callback_conference_invite(void *m, invite_fn *fn) {
    ((node *)m)->on_invite = fn;
}

bool send_conference_invite_packet(const void *m, int32_t friend_number, const uint8_t *data, uint16_t size) {
    node *n = (node *)m;
    uint8_t packet[64];
    const struct link *l = link_at(n, getfriendcon_id(m, friend_number));
    if (l == NULL || size >= sizeof(packet)) {
        return false;
    }
    packet[0] = 0x60;
    memcpy(packet + 1, data, size);
    return write_packet(n, n->friends[friend_number], packet, size + 1, false);
}

// Clock and randomness.

uint64_t mono_time_get(const void *t) {
    return as(t, ROLE_CLOCK)->now;
}

bool mono_time_is_timeout(const void *t, uint64_t stamp, uint64_t timeout) {
    return stamp + timeout <= as(t, ROLE_CLOCK)->now;
}

// Go: fills to with size bytes of the node's reader.
void rejoinOracleRandom(uintptr_t handle, uint8_t *to, int size);

static void draw(const void *r, uint8_t *to, int size) {
    const node *n = as(r, ROLE_RANDOM);
    memset(to, 1, (size_t)size);
    if (n->random != 0) {
        rejoinOracleRandom(n->random, to, size);
    }
}

uint16_t random_u16(const void *r) {
    uint8_t b[2];
    draw(r, b, sizeof(b));
    return (uint16_t)(b[0] << 8 | b[1]);
}

void new_symmetric_key(const void *r, uint8_t *key) {
    draw(r, key, KEY_SIZE);
}

// Bytes.

void crypto_memzero(void *p, size_t size) {
    memset(p, 0, size);
}

bool pk_equal(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, KEY_SIZE) == 0;
}

void pk_copy(uint8_t *to, const uint8_t *from) {
    memcpy(to, from, KEY_SIZE);
}

bool memeq(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    return a_size == b_size && memcmp(a, b, a_size) == 0;
}

uint32_t net_htonl(uint32_t v) {
    return __builtin_bswap32(v);
}

uint32_t net_ntohl(uint32_t v) {
    return __builtin_bswap32(v);
}

uint16_t net_htons(uint16_t v) {
    return __builtin_bswap16(v);
}

uint16_t net_ntohs(uint16_t v) {
    return __builtin_bswap16(v);
}

size_t net_pack_u16(uint8_t *to, uint16_t v) {
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return 2;
}

size_t net_unpack_u16(const uint8_t *from, uint16_t *v) {
    *v = (uint16_t)(from[0] << 8 | from[1]);
    return 2;
}

// amd64 is little endian.

void host_to_lendian_bytes16(uint8_t *to, uint16_t v) {
    memcpy(to, &v, sizeof(v));
}

void host_to_lendian_bytes32(uint8_t *to, uint32_t v) {
    memcpy(to, &v, sizeof(v));
}

void host_to_lendian_bytes64(uint8_t *to, uint64_t v) {
    memcpy(to, &v, sizeof(v));
}

void lendian_bytes_to_host16(uint16_t *v, const uint8_t *from) {
    memcpy(v, from, sizeof(*v));
}

void lendian_bytes_to_host32(uint32_t *v, const uint8_t *from) {
    memcpy(v, from, sizeof(*v));
}

void lendian_bytes_to_host64(uint64_t *v, const uint8_t *from) {
    memcpy(v, from, sizeof(*v));
}

uint8_t *state_write_section_header(uint8_t *to, uint16_t cookie, uint32_t size, uint32_t type) {
    host_to_lendian_bytes32(to, size);
    host_to_lendian_bytes16(to + 4, (uint16_t)type);
    host_to_lendian_bytes16(to + 6, cookie);
    return to + 8;
}
