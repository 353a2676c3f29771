// What a client of an X server tries with the windows of others, a line for each: "NAME: allowed" or "NAME: refused",
// with the error's name. It needs no library and no file but the cookie's.
//
//   x11 show TITLE COLOUR     shows a window of 200x150 filled with the colour until it is killed; prints its number
//   x11 windows               prints the titles of all windows, one a line
//   x11 size TITLE            prints the size of the first window with that title
//   x11 resize TITLE W H      gives that window another size
//   x11 screen                prints the size of the screen
//   x11 pixels                prints how many pixels of the screen's picture have which colour
//   x11 own TEXT              owns CLIPBOARD with that text until it is killed
//   x11 press                 presses and releases a key by XTEST
//   x11 listen WINDOW SECONDS tries to see the keys that are typed into that window
//   x11 attack WINDOW         tries everything below on the window with that number
#define _GNU_SOURCE
#include "x11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

xcb_connection_t* connection;
xcb_screen_t* screen;

xcb_atom_t atom(const char* name) {
  xcb_intern_atom_reply_t* reply =
      xcb_intern_atom_reply(connection, xcb_intern_atom(connection, 0, (uint16_t)strlen(name), name), NULL);
  xcb_atom_t result = reply ? reply->atom : XCB_ATOM_NONE;
  free(reply);
  return result;
}

xcb_window_t make_window(int mapped, uint32_t colour) {
  xcb_window_t window = xcb_generate_id(connection);
  uint32_t values[] = {colour, XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_PROPERTY_CHANGE};
  xcb_create_window(connection, XCB_COPY_FROM_PARENT, window, screen->root, 300, 200, 200, 150, 0,
                    XCB_WINDOW_CLASS_INPUT_OUTPUT, screen->root_visual, XCB_CW_BACK_PIXEL | XCB_CW_EVENT_MASK, values);
  if (mapped) xcb_map_window(connection, window);
  xcb_flush(connection);
  return window;
}
void set_text(xcb_window_t window, xcb_atom_t property, const char* text) {
  xcb_change_property(connection, XCB_PROP_MODE_REPLACE, window, property, XCB_ATOM_STRING, 8, (uint32_t)strlen(text),
                      text);
}

// The window's title in `title`; 0: none can be read.
int title_of(xcb_window_t window, char* title, size_t size) {
  xcb_get_property_reply_t* reply = xcb_get_property_reply(
      connection, xcb_get_property(connection, 0, window, XCB_ATOM_WM_NAME, XCB_GET_PROPERTY_TYPE_ANY, 0, 64), NULL);
  int length = reply ? xcb_get_property_value_length(reply) : 0;
  if (length >= (int)size) length = (int)size - 1;
  if (length > 0) memcpy(title, xcb_get_property_value(reply), (size_t)length);
  title[length] = 0;
  free(reply);
  return length > 0;
}

// Calls `look` for each window below `window`, until it returns other than 0.
xcb_window_t walk(xcb_window_t window, int (*look)(xcb_window_t, void*), void* data) {
  xcb_query_tree_reply_t* tree = xcb_query_tree_reply(connection, xcb_query_tree(connection, window), NULL);
  xcb_window_t found = 0;
  for (int i = 0; tree && !found && i < xcb_query_tree_children_length(tree); i++) {
    xcb_window_t child = xcb_query_tree_children(tree)[i];
    found = look(child, data) ? child : walk(child, look, data);
  }
  free(tree);
  return found;
}
static int print_title(xcb_window_t window, void* data) {
  char title[256];
  (void)data;
  if (title_of(window, title, sizeof title)) printf("%s\n", title);
  return 0;
}
static int has_title(xcb_window_t window, void* data) {
  char title[256];
  return title_of(window, title, sizeof title) && strncmp(title, data, strlen(data)) == 0;
}

static int show(const char* title, uint32_t colour) {
  xcb_window_t window = make_window(0, colour);
  set_text(window, XCB_ATOM_WM_NAME, title);
  xcb_map_window(connection, window);
  xcb_flush(connection);
  xcb_generic_event_t* event = NULL;
  while ((event = xcb_wait_for_event(connection)) != NULL) {
    int type = event->response_type & 0x7f;
    if (type == XCB_EXPOSE) {
      printf("%u\n", window);
      fflush(stdout);
    }
    if (type == XCB_KEY_PRESS) {
      printf("key%s\n", event->response_type & 0x80 ? " made up by a client" : "");
      fflush(stdout);
    }
    free(event);
  }
  puts("disconnected");
  return 3;
}

static int size_of(xcb_window_t window) {
  xcb_get_geometry_reply_t* reply = xcb_get_geometry_reply(connection, xcb_get_geometry(connection, window), NULL);
  if (!reply) return 1;
  printf("%ux%u\n", reply->width, reply->height);
  return 0;
}

struct colour {
  uint32_t value;
  unsigned count;
};
static int by_count(const void* a, const void* b) {
  return (int)((const struct colour*)b)->count - (int)((const struct colour*)a)->count;
}
static int pixels(void) {
  xcb_get_image_reply_t* image =
      xcb_get_image_reply(connection,
                          xcb_get_image(connection, XCB_IMAGE_FORMAT_Z_PIXMAP, screen->root, 0, 0,
                                        screen->width_in_pixels, screen->height_in_pixels, ~0U),
                          NULL);
  if (!image) return 1;
  const uint32_t* data = (const uint32_t*)xcb_get_image_data(image);
  static struct colour colours[64];
  size_t known = 0;
  for (int i = 0; i < xcb_get_image_data_length(image) / 4; i++) {
    uint32_t value = data[i] & 0xffffff;
    size_t k = 0;
    while (k < known && colours[k].value != value) k++;
    if (k == known && known < 64) colours[known++].value = value;
    if (k < known) colours[k].count++;
  }
  qsort(colours, known, sizeof *colours, by_count);
  for (size_t k = 0; k < known; k++) printf("%06x %u\n", colours[k].value, colours[k].count);
  return 0;
}

// --- the clipboard ---
static int own(const char* text) {
  xcb_window_t window = make_window(0, 0);
  xcb_atom_t clipboard = atom("CLIPBOARD");
  xcb_set_selection_owner(connection, window, clipboard, XCB_CURRENT_TIME);
  xcb_flush(connection);
  puts("owned");
  fflush(stdout);
  xcb_generic_event_t* event = NULL;
  while ((event = xcb_wait_for_event(connection)) != NULL) {
    if ((event->response_type & 0x7f) == XCB_SELECTION_REQUEST) {
      xcb_selection_request_event_t* request = (xcb_selection_request_event_t*)event;
      set_text(request->requestor, request->property, text);
      xcb_selection_notify_event_t answer = {.response_type = XCB_SELECTION_NOTIFY,
                                             .requestor = request->requestor,
                                             .selection = request->selection,
                                             .target = request->target,
                                             .property = request->property};
      xcb_send_event(connection, 0, request->requestor, 0, (const char*)&answer);
      xcb_flush(connection);
    }
    free(event);
  }
  return 3;
}
int main(int argc, char** argv) {
  connection = xcb_connect(NULL, NULL);
  if (xcb_connection_has_error(connection)) {
    puts("no connection");
    return 1;
  }
  screen = xcb_setup_roots_iterator(xcb_get_setup(connection)).data;
  const char* task = argc > 1 ? argv[1] : "connect";
  if (strcmp(task, "show") == 0 && argc == 4) return show(argv[2], (uint32_t)strtoul(argv[3], NULL, 16));
  if (strcmp(task, "own") == 0 && argc == 3) return own(argv[2]);
  if (strcmp(task, "attack") == 0 && argc == 3) return attack((xcb_window_t)strtoul(argv[2], NULL, 0));
  if (strcmp(task, "listen") == 0 && argc == 4)
    return listen_for_keys((xcb_window_t)strtoul(argv[2], NULL, 0), atoi(argv[3]));
  if (strcmp(task, "press") == 0) return press_key();
  if (strcmp(task, "windows") == 0) return (int)walk(screen->root, print_title, NULL);
  if (strcmp(task, "pixels") == 0) return pixels();
  if (strcmp(task, "size") == 0 && argc == 3) return size_of(walk(screen->root, has_title, argv[2]));
  if (strcmp(task, "screen") == 0) return size_of(screen->root);
  if (strcmp(task, "resize") == 0 && argc == 5) {
    uint32_t size[] = {(uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4])};
    xcb_generic_error_t* error = xcb_request_check(
        connection, xcb_configure_window_checked(connection, walk(screen->root, has_title, argv[2]),
                                                 XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size));
    return error != NULL;
  }
  return 0;
}
