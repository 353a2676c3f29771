// The attacks of the program x11 on the windows of others, and how it tells how they went.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x11.h"

static const char* error_names[] = {"success",   "BadRequest", "BadValue",         "BadWindow", "BadPixmap",
                                    "BadAtom",   "BadCursor",  "BadFont",          "BadMatch",  "BadDrawable",
                                    "BadAccess", "BadAlloc",   "BadColor",         "BadGC",     "BadIDChoice",
                                    "BadName",   "BadLength",  "BadImplementation"};

static void say(const char* name, int allowed, const char* how) {
  printf("%s: %s%s%s%s\n", name, allowed ? "allowed" : "refused", how ? " (" : "", how ? how : "", how ? ")" : "");
  fflush(stdout);
}
static void judge(const char* name, xcb_generic_error_t* error) {
  if (!error && xcb_connection_has_error(connection))
    say(name, 0, "disconnected");
  else if (!error)
    say(name, 1, NULL);
  else
    say(name, 0, error->error_code < 18 ? error_names[error->error_code] : "an extension's error");
  free(error);
}
static void judge_request(const char* name, xcb_void_cookie_t cookie) {
  judge(name, xcb_request_check(connection, cookie));
}

static int has_number(xcb_window_t window, void* data) { return window == *(xcb_window_t*)data; }
static void read_clipboard(void) {
  xcb_window_t window = make_window(0, 0);
  xcb_atom_t property = atom("ISOLATE_TEST");
  xcb_convert_selection(connection, window, atom("CLIPBOARD"), XCB_ATOM_STRING, property, XCB_CURRENT_TIME);
  xcb_flush(connection);
  char text[256] = "";
  for (int i = 0; i < 20; i++) {
    usleep(50000);
    xcb_get_property_reply_t* reply = xcb_get_property_reply(
        connection, xcb_get_property(connection, 0, window, property, XCB_GET_PROPERTY_TYPE_ANY, 0, 60), NULL);
    int length = reply ? xcb_get_property_value_length(reply) : 0;
    if (length > 0) {
      memcpy(text, xcb_get_property_value(reply), (size_t)length);
      text[length] = 0;
    }
    free(reply);
    if (*text) break;
  }
  say("read the clipboard", *text != 0, *text ? text : NULL);
}

static void picture(const char* name, xcb_window_t window) {
  xcb_generic_error_t* error = NULL;
  xcb_get_image_reply_t* image = xcb_get_image_reply(
      connection, xcb_get_image(connection, XCB_IMAGE_FORMAT_Z_PIXMAP, window, 10, 10, 20, 20, ~0U), &error);
  if (image) {
    char colour[16];
    snprintf(colour, sizeof colour, "%06x", *(uint32_t*)xcb_get_image_data(image) & 0xffffff);
    say(name, 1, colour);
    free(image);
  } else {
    judge(name, error);
  }
}
// A copy into a pixmap of one's own, read from there.
static void copied_picture(xcb_window_t window) {
  xcb_pixmap_t pixmap = xcb_generate_id(connection);
  xcb_gcontext_t context = xcb_generate_id(connection);
  uint32_t values[] = {XCB_SUBWINDOW_MODE_INCLUDE_INFERIORS};
  xcb_create_pixmap(connection, screen->root_depth, pixmap, screen->root, 40, 40);
  xcb_create_gc(connection, context, pixmap, XCB_GC_SUBWINDOW_MODE, values);
  xcb_generic_error_t* error =
      xcb_request_check(connection, xcb_copy_area_checked(connection, window, pixmap, context, 0, 0, 0, 0, 40, 40));
  if (error)
    judge("copy its picture", error);
  else
    picture("copy its picture", pixmap);
}
// A window of one's own without a background, above one that is red, shows what was there before.
static void seen_through(xcb_window_t window) {
  xcb_window_t own_window = xcb_generate_id(connection);
  uint32_t values[] = {XCB_BACK_PIXMAP_NONE, 1};
  xcb_translate_coordinates_reply_t* place = xcb_translate_coordinates_reply(
      connection, xcb_translate_coordinates(connection, window, screen->root, 0, 0), NULL);
  if (!place) {
    say("see it through a window without background", 0, "its place is not told");
    return;
  }
  xcb_create_window(connection, XCB_COPY_FROM_PARENT, own_window, screen->root, place->dst_x, place->dst_y, 100, 100, 0,
                    XCB_WINDOW_CLASS_INPUT_OUTPUT, screen->root_visual, XCB_CW_BACK_PIXMAP | XCB_CW_OVERRIDE_REDIRECT,
                    values);
  xcb_map_window(connection, own_window);
  xcb_flush(connection);
  usleep(200000);
  xcb_get_image_reply_t* image = xcb_get_image_reply(
      connection, xcb_get_image(connection, XCB_IMAGE_FORMAT_Z_PIXMAP, own_window, 10, 10, 20, 20, ~0U), NULL);
  const uint32_t red = 0xff0000;
  say("see it through a window without background", image && (*(uint32_t*)xcb_get_image_data(image) & 0xffffff) == red,
      NULL);
  free(image);
  xcb_destroy_window(connection, own_window);
  free(place);
}
static void grabs(void) {
  xcb_generic_error_t* error = NULL;
  xcb_grab_keyboard_reply_t* keyboard = xcb_grab_keyboard_reply(
      connection,
      xcb_grab_keyboard(connection, 0, screen->root, XCB_CURRENT_TIME, XCB_GRAB_MODE_ASYNC, XCB_GRAB_MODE_ASYNC),
      &error);
  if (keyboard)
    say("grab the keyboard", keyboard->status == XCB_GRAB_STATUS_SUCCESS, NULL);
  else
    judge("grab the keyboard", error);
  free(keyboard);
  xcb_ungrab_keyboard(connection, XCB_CURRENT_TIME);
  xcb_grab_pointer_reply_t* pointer =
      xcb_grab_pointer_reply(connection,
                             xcb_grab_pointer(connection, 0, screen->root, 0, XCB_GRAB_MODE_ASYNC, XCB_GRAB_MODE_ASYNC,
                                              0, 0, XCB_CURRENT_TIME),
                             &error);
  if (pointer)
    say("grab the pointer", pointer->status == XCB_GRAB_STATUS_SUCCESS, NULL);
  else
    judge("grab the pointer", error);
  free(pointer);
  xcb_ungrab_pointer(connection, XCB_CURRENT_TIME);
  judge_request("grab a key for itself", xcb_grab_key_checked(connection, 0, screen->root, XCB_MOD_MASK_ANY, 40,
                                                              XCB_GRAB_MODE_ASYNC, XCB_GRAB_MODE_ASYNC));
  judge_request("stop all other clients (GrabServer)", xcb_grab_server_checked(connection));
  xcb_ungrab_server(connection);
}
// One request of an extension, if the server shows the extension.
static void extension(const char* name, const char* what, uint8_t minor, void* body, uint16_t size, int has_reply) {
  xcb_query_extension_reply_t* reply =
      xcb_query_extension_reply(connection, xcb_query_extension(connection, (uint16_t)strlen(name), name), NULL);
  int present = reply && reply->present;
  free(reply);
  if (!present) {
    say(what, 0, "no such extension");
    return;
  }
  static xcb_extension_t extensions[4];
  static int used;
  xcb_extension_t* one = &extensions[used++];
  one->name = name;
  struct iovec parts[3] = {{NULL, 0}, {NULL, 0}, {body, size}};
  xcb_protocol_request_t request = {1, one, minor, !has_reply};
  unsigned sequence = xcb_send_request(connection, XCB_REQUEST_CHECKED, parts + 2, &request);
  if (!has_reply) {
    judge_request(what, (xcb_void_cookie_t){sequence});
    return;
  }
  xcb_generic_error_t* error = NULL;
  free(xcb_wait_for_reply(connection, sequence, &error));
  judge(what, error);
}
struct fake_input {
  uint8_t major, minor;
  uint16_t length;
  uint8_t type, detail;
  uint16_t unused;
  uint32_t time;
  xcb_window_t root;
  uint8_t unused_2[8];
  int16_t x, y;
  uint8_t unused_3[8];
};

int press_key(void) {
  struct fake_input key = {.type = XCB_KEY_PRESS, .detail = 38};
  extension("XTEST", "press a key by XTEST", 2, &key, sizeof key, 0);
  key.type = XCB_KEY_RELEASE;
  extension("XTEST", "release a key by XTEST", 2, &key, sizeof key, 0);
  return 0;
}

static void made_up_input(xcb_window_t window) {
  press_key();
  xcb_key_press_event_t event = {
      .response_type = XCB_KEY_PRESS, .detail = 38, .root = screen->root, .event = window, .same_screen = 1};
  judge_request("send it a made-up key",
                xcb_send_event_checked(connection, 0, window, XCB_EVENT_MASK_KEY_PRESS, (const char*)&event));
  xcb_warp_pointer(connection, 0, screen->root, 0, 0, 0, 0, 5, 5);
  xcb_query_pointer_reply_t* pointer =
      xcb_query_pointer_reply(connection, xcb_query_pointer(connection, screen->root), NULL);
  say("move the pointer", pointer && pointer->root_x == 5 && pointer->root_y == 5, NULL);
  free(pointer);
  xcb_set_input_focus(connection, XCB_INPUT_FOCUS_POINTER_ROOT, XCB_INPUT_FOCUS_NONE, XCB_CURRENT_TIME);
  xcb_get_input_focus_reply_t* focus = xcb_get_input_focus_reply(connection, xcb_get_input_focus(connection), NULL);
  say("take the keyboard's focus from it", focus && focus->focus == XCB_INPUT_FOCUS_NONE, NULL);
  free(focus);
}
static void properties(xcb_window_t window) {
  const char text[] = "changed";
  xcb_atom_t name = atom("ISOLATE_TEST");
  judge_request("write a property of the root window",
                xcb_change_property_checked(connection, XCB_PROP_MODE_REPLACE, screen->root, name, XCB_ATOM_STRING, 8,
                                            sizeof text, text));
  judge_request("write RESOURCE_MANAGER of the root window",
                xcb_change_property_checked(connection, XCB_PROP_MODE_REPLACE, screen->root, XCB_ATOM_RESOURCE_MANAGER,
                                            XCB_ATOM_STRING, 8, sizeof text, text));
  xcb_generic_error_t* error = NULL;
  xcb_get_property_reply_t* reply = xcb_get_property_reply(
      connection,
      xcb_get_property(connection, 0, screen->root, atom("ISOLATE_SECRET"), XCB_GET_PROPERTY_TYPE_ANY, 0, 64), &error);
  if (reply)
    say("read a property of the root window", xcb_get_property_value_length(reply) > 0, NULL);
  else
    judge("read a property of the root window", error);
  free(reply);
  char title[256];
  say("read its title", title_of(window, title, sizeof title), NULL);
  judge_request("change its title",
                xcb_change_property_checked(connection, XCB_PROP_MODE_REPLACE, window, XCB_ATOM_WM_ICON_NAME,
                                            XCB_ATOM_STRING, 8, sizeof text, text));
}
static void windows_of_others(xcb_window_t window) {
  say("find it in the list of windows", walk(screen->root, has_number, &window) != 0, NULL);
  uint32_t root_mask[] = {XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT};
  judge_request("become the window manager",
                xcb_change_window_attributes_checked(connection, screen->root, XCB_CW_EVENT_MASK, root_mask));
  root_mask[0] = XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY;
  judge_request("be told of new windows",
                xcb_change_window_attributes_checked(connection, screen->root, XCB_CW_EVENT_MASK, root_mask));
  root_mask[0] = 0;
  xcb_change_window_attributes(connection, screen->root, XCB_CW_EVENT_MASK, root_mask);
  uint32_t place[] = {7, 7};
  judge_request("move it",
                xcb_configure_window_checked(connection, window, XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y, place));
  xcb_window_t child = xcb_generate_id(connection);
  judge_request("put a window into it",
                xcb_create_window_checked(connection, XCB_COPY_FROM_PARENT, child, window, 0, 0, 10, 10, 0,
                                          XCB_WINDOW_CLASS_INPUT_OUTPUT, screen->root_visual, 0, NULL));
  xcb_gcontext_t context = xcb_generate_id(connection);
  xcb_create_gc(connection, context, screen->root, 0, NULL);
  xcb_rectangle_t all = {0, 0, 5, 5};
  judge_request("draw into it", xcb_poly_fill_rectangle_checked(connection, window, context, 1, &all));
}
static void settings(void) {
  judge_request("let other users connect (ChangeHosts)",
                xcb_change_hosts_checked(connection, XCB_HOST_MODE_INSERT, XCB_FAMILY_SERVER_INTERPRETED, 16,
                                         (const uint8_t*)"localuser\0nobody"));
  judge_request("switch access control off", xcb_set_access_control_checked(connection, XCB_ACCESS_CONTROL_DISABLE));
  // For what is tested next.
  xcb_set_access_control(connection, XCB_ACCESS_CONTROL_ENABLE);
  xcb_change_hosts(connection, XCB_HOST_MODE_DELETE, XCB_FAMILY_SERVER_INTERPRETED, 16,
                   (const uint8_t*)"localuser\0nobody");
  xcb_generic_error_t* error = NULL;
  xcb_list_hosts_reply_t* hosts = xcb_list_hosts_reply(connection, xcb_list_hosts(connection), &error);
  free(hosts);
  judge("read who may connect (ListHosts)", error);
  struct {
    uint8_t major, minor;
    uint16_t length, kind, data;
    uint32_t values;
    char name[20];
    uint32_t level;
  } generate = {.kind = 18, .values = 2, .name = "MIT-MAGIC-COOKIE-1", .level = 0};
  extension("SECURITY", "make a trusted cookie", 1, &generate, sizeof generate, 1);
  xcb_keysym_t symbol[] = {'x'};
  judge_request("change the keyboard's layout", xcb_change_keyboard_mapping_checked(connection, 1, 250, 1, symbol));
  judge_request("ring the bell", xcb_bell_checked(connection, 0));
  uint32_t value[] = {1};
  judge_request("change the keyboard's repeat",
                xcb_change_keyboard_control_checked(connection, XCB_KB_AUTO_REPEAT_MODE, value));
  judge_request("change the screen saver",
                xcb_set_screen_saver_checked(connection, -1, -1, XCB_BLANKING_DEFAULT, XCB_EXPOSURES_DEFAULT));
}

int listen_for_keys(xcb_window_t window, int seconds) {
  uint32_t mask[] = {XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE | XCB_EVENT_MASK_KEYMAP_STATE};
  xcb_change_window_attributes(connection, window, XCB_CW_EVENT_MASK, mask);
  xcb_change_window_attributes(connection, screen->root, XCB_CW_EVENT_MASK, mask);
  int events = 0, maps = 0;
  for (int i = 0; i < seconds * 200; i++) {
    xcb_query_keymap_reply_t* map = xcb_query_keymap_reply(connection, xcb_query_keymap(connection), NULL);
    for (int k = 0; map && k < 32; k++) maps += map->keys[k] != 0;
    free(map);
    xcb_generic_event_t* event = NULL;
    while ((event = xcb_poll_for_event(connection)) != NULL) {
      int type = event->response_type & 0x7f;
      events += type == XCB_KEY_PRESS || type == XCB_KEY_RELEASE;
      free(event);
    }
    if (i == 0) {
      puts("listening");
      fflush(stdout);
    }
    usleep(5000);
  }
  say("be sent keys that are typed into it", events > 0, NULL);
  say("see by QueryKeymap which keys are down", maps > 0, NULL);
  return 0;
}

int attack(xcb_window_t window) {
  picture("take a picture of it", window);
  picture("take a picture of the root window", screen->root);
  copied_picture(window);
  seen_through(window);
  windows_of_others(window);
  grabs();
  made_up_input(window);
  properties(window);
  read_clipboard();
  xcb_window_t own_window = make_window(0, 0);
  judge_request("take the clipboard",
                xcb_set_selection_owner_checked(connection, own_window, atom("CLIPBOARD"), XCB_CURRENT_TIME));
  settings();
  judge_request("close its program's connection (KillClient)", xcb_kill_client_checked(connection, window));
  return 0;
}
