#ifndef REJOIN_TOXCORE_RECORD_H
#define REJOIN_TOXCORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tox/tox.h>

enum record_kind {
    RECORD_SELF_CONNECTION,
    RECORD_FRIEND_REQUEST,
    RECORD_FRIEND_CONNECTION,
    RECORD_FRIEND_NAME,
    RECORD_FRIEND_STATUS_MESSAGE,
    RECORD_FRIEND_STATUS,
    RECORD_FRIEND_TYPING,
    RECORD_FRIEND_MESSAGE,
    RECORD_FRIEND_RECEIPT,
    RECORD_FRIEND_LOSSLESS,
    RECORD_FRIEND_LOSSY,
    RECORD_FILE_OFFER,
    RECORD_FILE_CONTROL,
    RECORD_CONFERENCE_INVITE,
    RECORD_CONFERENCE_CONNECTED,
    RECORD_CONFERENCE_MESSAGE,
    RECORD_CONFERENCE_TITLE,
    RECORD_CONFERENCE_PEER_NAME,
    RECORD_CONFERENCE_PEERS,
    RECORD_CONFERENCE_AUDIO,
};

// A record is one call of a callback. Fields that a kind has no use for are 0.
struct record {
    enum record_kind kind;
    uint32_t friend;
    uint32_t conference;
    uint32_t peer;
    uint32_t number;                   // of a message or a file
    uint32_t value;                    // a connection, status, type, control or sampling rate
    uint8_t key[TOX_PUBLIC_KEY_SIZE];  // of the friend or peer when it was called
    size_t offset, length;             // in records.data
};

// Records are what one tox_iterate has reported.
struct records {
    struct record *list;
    size_t count, room;
    uint8_t *data;
    size_t used, size;
};

// record_all makes tox report to the records that tox_iterate is given.
void record_all(Tox *tox);
void records_free(struct records *r);

// Audio conferences, which report to r as long as they exist.
int64_t audio_new(Tox *tox, struct records *r);
int64_t audio_join(Tox *tox, uint32_t friend, const uint8_t *cookie, uint16_t length, struct records *r);
bool audio_enable(Tox *tox, uint32_t conference, struct records *r);
bool audio_send(Tox *tox, uint32_t conference, const int16_t *pcm, uint32_t samples, uint32_t rate);

#endif
