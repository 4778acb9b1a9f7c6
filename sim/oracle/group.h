// The functions of c-toxcore 0.2.18's group.c that are called here, with our
// own names for the types: every handle is a pointer.
#ifndef REJOIN_ORACLE_GROUP_H
#define REJOIN_ORACLE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *new_groupchats(const void *clock, void *messenger);
void kill_groupchats(void *g);
void do_groupchats(void *g, void *userdata);
int add_groupchat(void *g, const void *random, uint8_t type);
bool del_groupchat(void *g, uint32_t group, bool permanent);
int invite_friend(void *g, uint32_t friend_number, uint32_t group);
int join_groupchat(void *g, uint32_t friend_number, uint8_t type, const uint8_t *cookie, uint16_t size);
int group_message_send(void *g, uint32_t group, const uint8_t *text, uint16_t size);
int group_action_send(void *g, uint32_t group, const uint8_t *text, uint16_t size);
int send_group_lossy_packet(void *g, uint32_t group, const uint8_t *data, uint16_t size);
int group_title_send(void *g, uint32_t group, const uint8_t *title, uint8_t size);
void send_name_all_groups(void *g);
int group_set_max_frozen(void *g, uint32_t group, uint32_t count);
int group_set_object(void *g, uint32_t group, void *object);
uint32_t conferences_size(void *g);
uint8_t *conferences_save(void *g, uint8_t *data);
bool conferences_load_state_section(void *g, const uint8_t *data, uint32_t size, uint16_t type, int *status);

void g_callback_group_invite(void *g, void (*fn)(void *, uint32_t, int, const uint8_t *, size_t, void *));
void g_callback_group_connected(void *g, void (*fn)(void *, uint32_t, void *));
void g_callback_group_message(void *g, void (*fn)(void *, uint32_t, uint32_t, int, const uint8_t *, size_t, void *));
void g_callback_group_title(void *g, void (*fn)(void *, uint32_t, uint32_t, const uint8_t *, size_t, void *));
void g_callback_peer_name(void *g, void (*fn)(void *, uint32_t, uint32_t, const uint8_t *, size_t, void *));
void g_callback_peer_list_changed(void *g, void (*fn)(void *, uint32_t, void *));
void group_lossy_packet_registerhandler(void *g, uint8_t kind,
                                        int (*fn)(void *, uint32_t, uint32_t, void *, const uint8_t *, uint16_t));

#endif
