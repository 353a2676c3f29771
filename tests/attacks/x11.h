// What the parts of the program x11 share.
#pragma once

#include <stdint.h>
#include <xcb/xcb.h>
#include <xcb/xcbext.h>

extern xcb_connection_t* connection;
extern xcb_screen_t* screen;

xcb_atom_t atom(const char* name);
// Makes a window with that background. It receives keys and is told when it can be drawn.
xcb_window_t make_window(int mapped, uint32_t colour);
void set_text(xcb_window_t window, xcb_atom_t property, const char* text);
// The window's title in `title`; 0: none can be read.
int title_of(xcb_window_t window, char* title, size_t size);
// Calls `look` for each window below `window`, until it returns other than 0.
xcb_window_t walk(xcb_window_t window, int (*look)(xcb_window_t, void*), void* data);

// The tasks of x11_attacks.c.
int attack(xcb_window_t window);
int press_key(void);
// For so many seconds, tries to learn which keys are typed elsewhere.
int listen_for_keys(xcb_window_t window, int seconds);
