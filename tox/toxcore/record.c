//go:build toxcore

// Callbacks of libtoxcore that write down what they are told.
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include <tox/toxav.h>

// grown returns the array with room for need elements. Without memory a test is
// lost anyway.
static void *grown(void *array, size_t *room, size_t need, size_t size) {
    size_t n = *room == 0 ? 64 : *room;
    while (n < need) {
        n *= 2;
    }
    if (n != *room) {
        array = realloc(array, n * size);
        *room = n;
    }
    if (array == NULL) {
        abort();
    }
    return array;
}

// append adds a record with a copy of data.
static struct record *append(struct records *r, enum record_kind kind, const void *data, size_t length) {
    r->list = grown(r->list, &r->room, r->count + 1, sizeof(*r->list));
    r->data = grown(r->data, &r->size, r->used + length, 1);
    if (length > 0) {
        memcpy(r->data + r->used, data, length);
    }
    struct record *one = &r->list[r->count++];
    *one = (struct record){.kind = kind, .offset = r->used, .length = length};
    r->used += length;
    return one;
}

static struct record *of_friend(Tox *tox, void *r, enum record_kind kind, uint32_t friend, const void *data, size_t length) {
    struct record *one = append(r, kind, data, length);
    one->friend = friend;
    tox_friend_get_public_key(tox, friend, one->key, NULL);
    return one;
}

// of_peer asks for the key at once: peer numbers change with the next packet.
static struct record *of_peer(Tox *tox, void *r, enum record_kind kind, uint32_t conference, uint32_t peer,
                              const void *data, size_t length) {
    struct record *one = append(r, kind, data, length);
    one->conference = conference;
    one->peer = peer;
    tox_conference_peer_get_public_key(tox, conference, peer, one->key, NULL);
    return one;
}

static void on_self_connection(Tox *tox, Tox_Connection connection, void *r) {
    (void)tox;
    append(r, RECORD_SELF_CONNECTION, NULL, 0)->value = connection;
}

static void on_friend_request(Tox *tox, const uint8_t *key, const uint8_t *text, size_t length, void *r) {
    (void)tox;
    memcpy(append(r, RECORD_FRIEND_REQUEST, text, length)->key, key, TOX_PUBLIC_KEY_SIZE);
}

static void on_friend_connection(Tox *tox, uint32_t friend, Tox_Connection connection, void *r) {
    of_friend(tox, r, RECORD_FRIEND_CONNECTION, friend, NULL, 0)->value = connection;
}

static void on_friend_name(Tox *tox, uint32_t friend, const uint8_t *name, size_t length, void *r) {
    of_friend(tox, r, RECORD_FRIEND_NAME, friend, name, length);
}

static void on_friend_status_message(Tox *tox, uint32_t friend, const uint8_t *text, size_t length, void *r) {
    of_friend(tox, r, RECORD_FRIEND_STATUS_MESSAGE, friend, text, length);
}

static void on_friend_status(Tox *tox, uint32_t friend, Tox_User_Status status, void *r) {
    of_friend(tox, r, RECORD_FRIEND_STATUS, friend, NULL, 0)->value = status;
}

static void on_friend_typing(Tox *tox, uint32_t friend, bool typing, void *r) {
    of_friend(tox, r, RECORD_FRIEND_TYPING, friend, NULL, 0)->value = typing;
}

static void on_friend_message(Tox *tox, uint32_t friend, Tox_Message_Type type, const uint8_t *text, size_t length, void *r) {
    of_friend(tox, r, RECORD_FRIEND_MESSAGE, friend, text, length)->value = type;
}

static void on_friend_receipt(Tox *tox, uint32_t friend, uint32_t message, void *r) {
    of_friend(tox, r, RECORD_FRIEND_RECEIPT, friend, NULL, 0)->number = message;
}

static void on_friend_lossless(Tox *tox, uint32_t friend, const uint8_t *data, size_t length, void *r) {
    of_friend(tox, r, RECORD_FRIEND_LOSSLESS, friend, data, length);
}

static void on_friend_lossy(Tox *tox, uint32_t friend, const uint8_t *data, size_t length, void *r) {
    of_friend(tox, r, RECORD_FRIEND_LOSSY, friend, data, length);
}

static void on_file_offer(Tox *tox, uint32_t friend, uint32_t file, uint32_t kind, uint64_t size, const uint8_t *name,
                          size_t length, void *r) {
    (void)size;
    struct record *one = of_friend(tox, r, RECORD_FILE_OFFER, friend, name, length);
    one->number = file;
    one->value = kind;
}

static void on_file_control(Tox *tox, uint32_t friend, uint32_t file, Tox_File_Control control, void *r) {
    struct record *one = of_friend(tox, r, RECORD_FILE_CONTROL, friend, NULL, 0);
    one->number = file;
    one->value = control;
}

static void on_conference_invite(Tox *tox, uint32_t friend, Tox_Conference_Type type, const uint8_t *cookie, size_t length,
                                 void *r) {
    of_friend(tox, r, RECORD_CONFERENCE_INVITE, friend, cookie, length)->value = type;
}

static void on_conference_connected(Tox *tox, uint32_t conference, void *r) {
    (void)tox;
    append(r, RECORD_CONFERENCE_CONNECTED, NULL, 0)->conference = conference;
}

static void on_conference_message(Tox *tox, uint32_t conference, uint32_t peer, Tox_Message_Type type, const uint8_t *text,
                                  size_t length, void *r) {
    of_peer(tox, r, RECORD_CONFERENCE_MESSAGE, conference, peer, text, length)->value = type;
}

// The title has no peer if it came with an invitation: the key stays zero.
static void on_conference_title(Tox *tox, uint32_t conference, uint32_t peer, const uint8_t *title, size_t length, void *r) {
    of_peer(tox, r, RECORD_CONFERENCE_TITLE, conference, peer, title, length);
}

static void on_conference_peer_name(Tox *tox, uint32_t conference, uint32_t peer, const uint8_t *name, size_t length, void *r) {
    of_peer(tox, r, RECORD_CONFERENCE_PEER_NAME, conference, peer, name, length);
}

static void on_conference_peers(Tox *tox, uint32_t conference, void *r) {
    (void)tox;
    append(r, RECORD_CONFERENCE_PEERS, NULL, 0)->conference = conference;
}

static void on_conference_audio(void *tox, uint32_t conference, uint32_t peer, const int16_t *pcm, uint32_t samples,
                                uint8_t channels, uint32_t rate, void *r) {
    of_peer(tox, r, RECORD_CONFERENCE_AUDIO, conference, peer, pcm, samples * channels * sizeof(*pcm))->value = rate;
}

void record_all(Tox *tox) {
    tox_callback_self_connection_status(tox, on_self_connection);
    tox_callback_friend_request(tox, on_friend_request);
    tox_callback_friend_connection_status(tox, on_friend_connection);
    tox_callback_friend_name(tox, on_friend_name);
    tox_callback_friend_status_message(tox, on_friend_status_message);
    tox_callback_friend_status(tox, on_friend_status);
    tox_callback_friend_typing(tox, on_friend_typing);
    tox_callback_friend_message(tox, on_friend_message);
    tox_callback_friend_read_receipt(tox, on_friend_receipt);
    tox_callback_friend_lossless_packet(tox, on_friend_lossless);
    tox_callback_friend_lossy_packet(tox, on_friend_lossy);
    tox_callback_file_recv(tox, on_file_offer);
    tox_callback_file_recv_control(tox, on_file_control);
    tox_callback_conference_invite(tox, on_conference_invite);
    tox_callback_conference_connected(tox, on_conference_connected);
    tox_callback_conference_message(tox, on_conference_message);
    tox_callback_conference_title(tox, on_conference_title);
    tox_callback_conference_peer_name(tox, on_conference_peer_name);
    tox_callback_conference_peer_list_changed(tox, on_conference_peers);
}

void records_free(struct records *r) {
    free(r->list);
    free(r->data);
    free(r);
}

int64_t audio_new(Tox *tox, struct records *r) {
    return toxav_add_av_groupchat(tox, on_conference_audio, r);
}

int64_t audio_join(Tox *tox, uint32_t friend, const uint8_t *cookie, uint16_t length, struct records *r) {
    return toxav_join_av_groupchat(tox, friend, cookie, length, on_conference_audio, r);
}

bool audio_enable(Tox *tox, uint32_t conference, struct records *r) {
    return toxav_groupchat_enable_av(tox, conference, on_conference_audio, r) == 0;
}

bool audio_send(Tox *tox, uint32_t conference, const int16_t *pcm, uint32_t samples, uint32_t rate) {
    return toxav_group_send_audio(tox, conference, pcm, samples, 1, rate) == 0;
}
