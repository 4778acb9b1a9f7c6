// What the Go side drives: one struct node per peer. No function here is safe
// for concurrent use on one node; different nodes are independent.
#ifndef REJOIN_ORACLE_H
#define REJOIN_ORACLE_H

#include <stdbool.h>

#include "layout.h"

typedef int status_fn(void *object, int number, bool up, void *userdata);
typedef int data_fn(void *object, int number, const uint8_t *data, uint16_t size, void *userdata);
typedef int any_status_fn(void *object, int link, bool up, void *userdata);
typedef void invite_fn(void *messenger, uint32_t friend_number, const uint8_t *data, uint16_t size, void *userdata);

// A friend connection. The conferences' references and the one of the friend
// list are counted apart.
struct link {
    bool used;
    bool up;
    bool ready;    // the friend's messenger is online
    bool lossless; // takes lossless packets at the moment
    bool lossy;
    int32_t friend_number; // -1: not a friend
    uint32_t references;   // of the conferences
    uint8_t key[KEY_SIZE];
    uint8_t dht[KEY_SIZE];
    status_fn *on_status;
    data_fn *on_data;
    data_fn *on_lossy;
    void *object;
    int number;
};

#define PACKET_REJOIN 0x64

enum record_op {
    RECORD_SEND = 1,
    RECORD_REFUSED,
    RECORD_WANT,
    RECORD_RELEASE,
    RECORD_EVENT,
};

// The values of conference.EventKind.
enum event_kind {
    EVENT_INVITATION = 1,
    EVENT_CONNECTED,
    EVENT_PEER_JOINED,
    EVENT_PEER_LEFT,
    EVENT_PEER_FROZEN,
    EVENT_PEER_THAWED,
    EVENT_PEER_RENAMED,
    EVENT_TITLED,
    EVENT_TEXTED,
    EVENT_AUDIO_HEARD,
};

// One line of what a call caused, in the order in which it happened.
struct record {
    uint8_t op;
    uint8_t event;
    uint8_t message; // kind byte of a text
    bool lossy;
    uint8_t type; // of the conference
    uint8_t id[KEY_SIZE];
    uint8_t peer[KEY_SIZE];
    uint8_t dht[KEY_SIZE];
    uint16_t group; // the inviter's
    int32_t index;
    uint32_t active;
    uint32_t frozen;
    uint32_t number;
    uint32_t data; // offset in node.bytes
    uint32_t size;
};

struct member {
    uint8_t key[KEY_SIZE];
    uint16_t number;
};

// The lists of one conference when they were last looked at: what a list
// event is deduced from.
struct shadow {
    bool stale;
    uint32_t active_count, active_room;
    uint32_t frozen_count, frozen_room;
    struct member *active;
    struct member *frozen;
};

// A peer. It begins with the messenger, so one pointer serves as every handle
// that group.c passes around.
struct node {
    struct messenger messenger;
    uint8_t self_key[KEY_SIZE];
    uint8_t self_dht[KEY_SIZE];
    uint64_t now; // seconds
    uintptr_t random; // handle of the Go reader; 0: every byte drawn is 1
    uint32_t seen; // which roles group.c used this handle in (verify.c)

    struct link *links;
    int link_count;
    int *friends; // friend number to link, -1: free
    int friend_count;

    any_status_fn *on_any_status;
    void *any_object;
    invite_fn *on_invite;

    struct record *records;
    uint32_t record_count, record_room;
    uint8_t *bytes;
    uint32_t byte_count, byte_room;
    uint32_t removal; // 1 + record of a removal that may yet prove to be a freeze
    const uint8_t *packet; // being handled
    bool lossy_sound;      // refuse what group.c sends to slot 0 by mistake
    bool forgetful;        // knows no Rejoin, no Freeze, no frozen peers
    uint32_t lossy_due;    // lossy packets of this call that are no mistake
    struct shadow *shadows;
    uint32_t shadow_count;
};

enum role {
    ROLE_LINKS = 1,
    ROLE_NET_CRYPTO = 2,
    ROLE_DHT = 4,
    ROLE_RANDOM = 8,
    ROLE_CLOCK = 16,
};

// node.c
struct node *oracle_new(const uint8_t *key, const uint8_t *dht, const uint8_t *name, uint16_t name_size,
                        uint64_t now, uintptr_t random);
void oracle_free(struct node *n);
void oracle_sound_lossy(struct node *n);
void oracle_forgetful(struct node *n);
void oracle_quit(struct node *n);
void oracle_clear(struct node *n);
int oracle_load(struct node *n, const uint8_t *data, uint32_t size);
uint32_t oracle_save_size(struct node *n);
void oracle_save(struct node *n, uint8_t *to);
void oracle_set_friend(struct node *n, const uint8_t *key, bool on);
bool oracle_is_friend(const struct node *n, const uint8_t *key);
void oracle_online(struct node *n, uint64_t now, const uint8_t *key, const uint8_t *dht);
void oracle_offline(struct node *n, uint64_t now, const uint8_t *key);
void oracle_ready(struct node *n, const uint8_t *key);
void oracle_writable(struct node *n, const uint8_t *key, bool lossless, bool lossy);
int oracle_receive(struct node *n, uint64_t now, const uint8_t *key, const uint8_t *data, uint32_t size);
void oracle_tick(struct node *n, uint64_t now);
int oracle_create(struct node *n, uint64_t now, uint8_t type);
int oracle_invite(struct node *n, uint64_t now, uint32_t group, const uint8_t *key);
int oracle_join(struct node *n, uint64_t now, const uint8_t *key, uint8_t type, const uint8_t *cookie, uint32_t size);
int oracle_send(struct node *n, uint64_t now, uint32_t group, bool action, const uint8_t *text, uint16_t size);
int oracle_title(struct node *n, uint64_t now, uint32_t group, const uint8_t *title, uint8_t size);
void oracle_name(struct node *n, uint64_t now, const uint8_t *name, uint16_t size);
int oracle_max_frozen(struct node *n, uint64_t now, uint32_t group, uint32_t count);
int oracle_send_lossy(struct node *n, uint64_t now, uint32_t group, const uint8_t *data, uint16_t size);
int oracle_leave(struct node *n, uint64_t now, uint32_t group);
const struct conferences *oracle_conferences(const struct node *n);

// stubs.c
int link_of(const struct node *n, const uint8_t *key);
int link_make(struct node *n, const uint8_t *key);
void record_bytes(struct node *n, struct record *r, const uint8_t *data, uint32_t size);
struct record *record_add(struct node *n, enum record_op op);

// verify.c: null, or what is wrong. Works once, then remembers.
const char *oracle_verify(void);

#endif
