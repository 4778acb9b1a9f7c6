/* loadsave IN OUT [PASSWORD-FILE]
 *
 * Loads the save file IN into libtoxcore, prints what is in it, one thing a
 * line, and writes it again to OUT. With a password IN is decrypted, and OUT
 * encrypted, by libtoxcore. The instance opens no port and is never iterated,
 * so that nothing is sent.
 *
 * Exit codes: 0 loaded, 1 libtoxcore refused the file (the last line says why),
 * 2 the program itself failed.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tox/tox.h>
#include <tox/toxencryptsave.h>

static void fail(const char *what)
{
    fprintf(stderr, "loadsave: %s\n", what);
    exit(2);
}

static void refused(const char *what, int error)
{
    printf("refused %s %d\n", what, error);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size + 1);
    if (memory == NULL) {
        fail("out of memory");
    }
    return memory;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail(path);
    }
    const long end = ftell(file);
    if (end < 0) {
        fail(path);
    }
    rewind(file);
    *size = (size_t)end;
    uint8_t *data = allocate(*size);
    if (fread(data, 1, *size, file) != *size) {
        fail(path);
    }
    fclose(file);
    return data;
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fail(path);
    }
}

/* print_hex prints bytes behind a blank, and "-" for none. */
static void print_hex(const uint8_t *data, size_t size)
{
    printf(size == 0 ? " -" : " ");
    for (size_t i = 0; i < size; i++) {
        printf("%02x", data[i]);
    }
}

static void print_self(const Tox *tox)
{
    uint8_t address[TOX_ADDRESS_SIZE];
    tox_self_get_address(tox, address);
    printf("self");
    print_hex(address, sizeof(address));

    const size_t name_size = tox_self_get_name_size(tox);
    uint8_t *name = allocate(name_size);
    tox_self_get_name(tox, name);
    print_hex(name, name_size);
    free(name);

    const size_t message_size = tox_self_get_status_message_size(tox);
    uint8_t *message = allocate(message_size);
    tox_self_get_status_message(tox, message);
    print_hex(message, message_size);
    free(message);
    printf(" %d\n", (int)tox_self_get_status(tox));
}

static void print_friends(const Tox *tox)
{
    const size_t count = tox_self_get_friend_list_size(tox);
    uint32_t *list = allocate(count * sizeof(uint32_t));
    tox_self_get_friend_list(tox, list);
    for (size_t i = 0; i < count; i++) {
        uint8_t key[TOX_PUBLIC_KEY_SIZE];
        if (!tox_friend_get_public_key(tox, list[i], key, NULL)) {
            fail("friend key");
        }
        const size_t size = tox_friend_get_name_size(tox, list[i], NULL);
        uint8_t *name = allocate(size);
        if (!tox_friend_get_name(tox, list[i], name, NULL)) {
            fail("friend name");
        }
        printf("friend");
        print_hex(key, sizeof(key));
        print_hex(name, size);
        printf("\n");
        free(name);
    }
    free(list);
}

static void print_offline_peers(const Tox *tox, uint32_t conference)
{
    const uint32_t count = tox_conference_offline_peer_count(tox, conference, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[TOX_PUBLIC_KEY_SIZE];
        if (!tox_conference_offline_peer_get_public_key(tox, conference, i, key, NULL)) {
            fail("peer key");
        }
        const size_t size = tox_conference_offline_peer_get_name_size(tox, conference, i, NULL);
        uint8_t *name = allocate(size);
        if (!tox_conference_offline_peer_get_name(tox, conference, i, name, NULL)) {
            fail("peer name");
        }
        printf("offline");
        print_hex(key, sizeof(key));
        print_hex(name, size);
        printf(" %" PRIu64 "\n", tox_conference_offline_peer_get_last_active(tox, conference, i, NULL));
        free(name);
    }
}

static void print_conferences(const Tox *tox)
{
    const size_t count = tox_conference_get_chatlist_size(tox);
    uint32_t *list = allocate(count * sizeof(uint32_t));
    tox_conference_get_chatlist(tox, list);
    for (size_t i = 0; i < count; i++) {
        uint8_t id[TOX_CONFERENCE_ID_SIZE];
        Tox_Err_Conference_Get_Type type_error;
        const int type = (int)tox_conference_get_type(tox, list[i], &type_error);
        if (!tox_conference_get_id(tox, list[i], id) || type_error != TOX_ERR_CONFERENCE_GET_TYPE_OK) {
            fail("conference");
        }
        /* Not to have a title is an error of its own to libtoxcore. */
        Tox_Err_Conference_Title title_error;
        size_t size = tox_conference_get_title_size(tox, list[i], &title_error);
        if (title_error == TOX_ERR_CONFERENCE_TITLE_INVALID_LENGTH) {
            size = 0;
        } else if (title_error != TOX_ERR_CONFERENCE_TITLE_OK) {
            fail("title size");
        }
        uint8_t *title = allocate(size);
        if (size > 0 && !tox_conference_get_title(tox, list[i], title, NULL)) {
            fail("title");
        }
        printf("conference %d", type);
        print_hex(id, sizeof(id));
        print_hex(title, size);
        printf(" %" PRIu32 "\n", tox_conference_peer_count(tox, list[i], NULL));
        free(title);
        print_offline_peers(tox, list[i]);
    }
    free(list);
}

static Tox *load(const uint8_t *data, size_t size)
{
    struct Tox_Options *options = tox_options_new(NULL);
    if (options == NULL) {
        fail("out of memory");
    }
    tox_options_set_udp_enabled(options, false);
    tox_options_set_ipv6_enabled(options, false);
    tox_options_set_local_discovery_enabled(options, false);
    tox_options_set_tcp_port(options, 0);
    tox_options_set_savedata_type(options, TOX_SAVEDATA_TYPE_TOX_SAVE);
    tox_options_set_savedata_data(options, data, size);
    Tox_Err_New error;
    Tox *tox = tox_new(options, &error);
    tox_options_free(options);
    if (error != TOX_ERR_NEW_OK) {
        /* 0.2.18 returns an instance all the same, with part of the file. */
        tox_kill(tox);
        refused("load", (int)error);
    }
    return tox;
}

static uint8_t *decrypt(uint8_t *data, size_t *size, const uint8_t *password, size_t password_size)
{
    if (!tox_is_data_encrypted(data)) {
        refused("plain", 0);
    }
    uint8_t *plain = allocate(*size);
    Tox_Err_Decryption error;
    if (!tox_pass_decrypt(data, *size, password, password_size, plain, &error)) {
        refused("decrypt", (int)error);
    }
    *size -= TOX_PASS_ENCRYPTION_EXTRA_LENGTH;
    free(data);
    return plain;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fail("want IN OUT [PASSWORD-FILE]");
    }
    size_t password_size = 0;
    uint8_t *password = argc == 4 ? read_file(argv[3], &password_size) : NULL;
    size_t size;
    uint8_t *data = read_file(argv[1], &size);
    if (password != NULL) {
        data = decrypt(data, &size, password, password_size);
    }
    Tox *tox = load(data, size);
    free(data);
    print_self(tox);
    print_friends(tox);
    print_conferences(tox);

    size = tox_get_savedata_size(tox);
    data = allocate(size);
    tox_get_savedata(tox, data);
    tox_kill(tox);
    if (password != NULL) {
        uint8_t *encrypted = allocate(size + TOX_PASS_ENCRYPTION_EXTRA_LENGTH);
        if (!tox_pass_encrypt(data, size, password, password_size, encrypted, NULL)) {
            fail("encrypt");
        }
        free(data);
        data = encrypted;
        size += TOX_PASS_ENCRYPTION_EXTRA_LENGTH;
    }
    write_file(argv[2], data, size);
    free(data);
    free(password);
    printf("written\n");
    return 0;
}
