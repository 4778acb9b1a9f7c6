// Structures of c-toxcore 0.2.18 on amd64 as far as they are read here. The
// names are ours, the offsets are asserted, and verify.c compares them with
// what the code does.
#ifndef REJOIN_ORACLE_LAYOUT_H
#define REJOIN_ORACLE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define KEY_SIZE 32
#define NAME_MAX_SIZE 128
#define CONNECTION_SLOTS 16
#define CLOSEST_SLOTS 4

// What group.c knows of the messenger: the only foreign structure it reads.
struct messenger {
    uint8_t unused0[16];
    void *random;
    uint8_t unused24[16];
    void *net_crypto;
    void *dht;
    uint8_t unused56[40];
    void *links;
    uint8_t unused104[16];
    uint8_t name[NAME_MAX_SIZE];
    uint16_t name_size;
    uint8_t unused250[1638];
    void *conferences; // written by new_groupchats
    uint8_t unused1896[192];
};

struct window_entry {
    uint32_t number;
    uint8_t kind;
    uint8_t unused5[3];
};

struct peer {
    uint8_t key[KEY_SIZE];
    uint8_t dht[KEY_SIZE];
    uint8_t dht_updated;
    uint8_t is_friend;
    uint8_t unused66[6];
    uint64_t last_active;
    struct window_entry window[8];
    uint8_t window_size;
    uint8_t name[NAME_MAX_SIZE];
    uint8_t name_size;
    uint8_t name_updated;
    uint8_t unused275;
    uint16_t number;
    uint8_t lossy_seen[256];
    uint16_t lossy_bottom;
    uint16_t lossy_top;
    uint8_t unused538[14];
};

struct connection {
    uint8_t status; // 0 unused, 1 connecting, 2 online
    uint8_t reasons;
    uint8_t unused2[2];
    uint32_t link;
    uint16_t remote_group; // stale unless online
    uint8_t unused10[2];
};

struct closest {
    uint8_t used;
    uint8_t key[KEY_SIZE];
    uint8_t dht[KEY_SIZE];
};

struct conference {
    uint8_t status; // 0 free, 1 joining, 2 connected
    uint8_t need_send_name;
    uint8_t title_fresh;
    uint8_t unused3[5];
    struct peer *peers;
    uint32_t peer_count;
    uint8_t unused20[4];
    struct peer *frozen;
    uint32_t frozen_count;
    uint32_t max_frozen;
    struct connection connections[CONNECTION_SLOTS];
    uint8_t self_key[KEY_SIZE];
    struct closest closest[CLOSEST_SLOTS];
    uint8_t changed;
    uint8_t type;
    uint8_t id[KEY_SIZE];
    uint8_t title[NAME_MAX_SIZE];
    uint8_t title_size;
    uint8_t unused687;
    uint32_t message_number;
    uint16_t lossy_number;
    uint16_t self_number;
    uint64_t last_ping;
    uint32_t introducers;
    uint8_t unused708[36];
};

struct conferences {
    uint8_t unused0[24];
    struct conference *list;
    uint16_t count;
    uint8_t unused34[2102];
};

#define AT(type, field, offset) \
    _Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

AT(messenger, random, 16);
AT(messenger, net_crypto, 40);
AT(messenger, dht, 48);
AT(messenger, links, 96);
AT(messenger, name, 120);
AT(messenger, name_size, 248);
AT(messenger, conferences, 1888);
SIZE(messenger, 2088);

AT(peer, dht, 32);
AT(peer, last_active, 72);
AT(peer, window, 80);
AT(peer, window_size, 144);
AT(peer, name, 145);
AT(peer, name_size, 273);
AT(peer, number, 276);
AT(peer, lossy_seen, 278);
AT(peer, lossy_bottom, 534);
AT(peer, lossy_top, 536);
SIZE(peer, 552);

SIZE(connection, 12);
AT(connection, link, 4);
AT(connection, remote_group, 8);
SIZE(closest, 65);

AT(conference, peers, 8);
AT(conference, peer_count, 16);
AT(conference, frozen, 24);
AT(conference, frozen_count, 32);
AT(conference, max_frozen, 36);
AT(conference, connections, 40);
AT(conference, self_key, 232);
AT(conference, closest, 264);
AT(conference, changed, 524);
AT(conference, id, 526);
AT(conference, title, 558);
AT(conference, title_size, 686);
AT(conference, message_number, 688);
AT(conference, lossy_number, 692);
AT(conference, self_number, 694);
AT(conference, last_ping, 696);
AT(conference, introducers, 704);
SIZE(conference, 744);

AT(conferences, list, 24);
AT(conferences, count, 32);
SIZE(conferences, 2136);

#undef AT
#undef SIZE

#endif
