#include "cli/view/frame.h"

#include <glib-unix.h>
#include <gtk/gtk.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

namespace view {
namespace {

using base::Code;
using base::make_error;
using base::Status;

class Frame {
 public:
  Frame(const Identity& identity, const Decoder& decoder, const Canvas& canvas)
      : identity_(identity), socket_(decoder.socket.get()), canvas_(canvas.data()) {}

  Status run() {
    build();
    // After the user's own events and drawing: a zone that never stops painting holds up nobody.
    guint source =
        g_unix_fd_add_full(G_PRIORITY_LOW, socket_, G_IO_IN, from_decoder, this, nullptr);
    gtk_widget_show_all(window_);
    gtk_main();
    g_source_remove(source);
    return std::move(ended_);
  }

 private:
  void build();
  GtkWidget* make_stripe();
  void connect(GtkWidget* widget, const char* signal, GCallback callback) {
    g_signal_connect(widget, signal, callback, this);
  }
  void end(Status status) {
    ended_ = std::move(status);
    gtk_main_quit();
  }
  Placement placement() const {
    return place(size_, gtk_widget_get_allocated_width(picture_),
                 gtk_widget_get_allocated_height(picture_));
  }
  void take(const FromDecoder& message);
  void draw(cairo_t* cairo) const;
  void send(const ToDecoder& message) const {
    // A zone that takes no input gets none: the window must not wait for it.
    if (write(socket_, &message, sizeof message) < 0) return;
  }
  void send_key(guint16 hardware, guint keysym, bool down);
  void send_pointer(double x, double y);
  void release_keys();

  // What GTK calls.
  static gboolean from_decoder(gint fd, GIOCondition, gpointer self);
  static gboolean on_draw(GtkWidget*, cairo_t* cairo, gpointer self) {
    of(self).draw(cairo);
    return TRUE;
  }
  static gboolean on_key(GtkWidget*, GdkEventKey* event, gpointer self);
  static gboolean on_motion(GtkWidget*, GdkEventMotion* event, gpointer self) {
    of(self).send_pointer(event->x, event->y);
    return TRUE;
  }
  static gboolean on_button(GtkWidget*, GdkEventButton* event, gpointer self);
  static gboolean on_scroll(GtkWidget*, GdkEventScroll* event, gpointer self);
  static gboolean on_focus_out(GtkWidget*, GdkEvent*, gpointer self) {
    of(self).release_keys();
    return FALSE;
  }
  static gboolean on_state(GtkWidget*, GdkEventWindowState* event, gpointer self) {
    of(self).fullscreen_ = (event->new_window_state & GDK_WINDOW_STATE_FULLSCREEN) != 0;
    return FALSE;
  }
  static void on_destroy(GtkWidget*, gpointer) { gtk_main_quit(); }
  static Frame& of(gpointer self) { return *static_cast<Frame*>(self); }

  const Identity& identity_;
  int socket_;
  uint8_t* canvas_;
  GtkWidget* window_ = nullptr;
  GtkWidget* picture_ = nullptr;
  Size size_;
  Status ended_;
  bool fullscreen_ = false;
  std::map<guint16, guint> pressed_;  // what was sent for a key of the keyboard
  uint8_t buttons_ = 0;
};

std::string hex(const Colour& colour) {
  char text[8] = {};
  g_snprintf(text, sizeof text, "#%02x%02x%02x", colour.red, colour.green, colour.blue);
  return text;
}

GtkWidget* Frame::make_stripe() {
  std::string text = "[" + identity_.label + "]  " + identity_.zone;
  GtkWidget* stripe = gtk_label_new(text.c_str());
  gtk_label_set_ellipsize(GTK_LABEL(stripe), PANGO_ELLIPSIZE_END);
  gtk_label_set_single_line_mode(GTK_LABEL(stripe), TRUE);
  gtk_widget_set_name(stripe, "stripe");
  gtk_widget_set_size_request(stripe, -1, kStripeHeight);
  gtk_widget_set_tooltip_text(stripe, text.c_str());
  return stripe;
}

void Frame::build() {
  window_ = gtk_window_new(GTK_WINDOW_TOPLEVEL);
  std::string title = "[" + identity_.label + "] " + identity_.zone;
  gtk_window_set_title(GTK_WINDOW(window_), title.c_str());
  gtk_window_set_default_size(GTK_WINDOW(window_), kWindowWidth, kWindowHeight);
  GtkWidget* box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
  picture_ = gtk_drawing_area_new();
  gtk_widget_set_margin_start(picture_, kBorder);
  gtk_widget_set_margin_end(picture_, kBorder);
  gtk_widget_set_margin_bottom(picture_, kBorder);
  gtk_widget_add_events(picture_, GDK_POINTER_MOTION_MASK | GDK_BUTTON_PRESS_MASK |
                                      GDK_BUTTON_RELEASE_MASK | GDK_SCROLL_MASK);
  gtk_box_pack_start(GTK_BOX(box), make_stripe(), FALSE, FALSE, 0);
  gtk_box_pack_start(GTK_BOX(box), picture_, TRUE, TRUE, 0);
  gtk_container_add(GTK_CONTAINER(window_), box);

  std::string style = "window, box { background: " + hex(identity_.colour) +
                      "; } #stripe { color: " + hex(text_colour_on(identity_.colour)) +
                      "; font: bold 12pt sans-serif; text-shadow: none; }";
  GtkCssProvider* css = gtk_css_provider_new();
  gtk_css_provider_load_from_data(css, style.c_str(), -1, nullptr);
  gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(css),
                                            GTK_STYLE_PROVIDER_PRIORITY_USER + 1);
  g_object_unref(css);

  connect(window_, "destroy", G_CALLBACK(on_destroy));
  connect(window_, "key-press-event", G_CALLBACK(on_key));
  connect(window_, "key-release-event", G_CALLBACK(on_key));
  connect(window_, "focus-out-event", G_CALLBACK(on_focus_out));
  connect(window_, "window-state-event", G_CALLBACK(on_state));
  connect(picture_, "draw", G_CALLBACK(on_draw));
  connect(picture_, "motion-notify-event", G_CALLBACK(on_motion));
  connect(picture_, "button-press-event", G_CALLBACK(on_button));
  connect(picture_, "button-release-event", G_CALLBACK(on_button));
  connect(picture_, "scroll-event", G_CALLBACK(on_scroll));
}

gboolean Frame::from_decoder(gint fd, GIOCondition, gpointer self) {
  FromDecoder message;
  ssize_t n = read(fd, &message, sizeof message);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return G_SOURCE_CONTINUE;
  if (n == static_cast<ssize_t>(sizeof message)) {
    of(self).take(message);
  } else {
    of(self).end(make_error(Code::kIo, "the process that speaks with its display was ended"));
  }
  return G_SOURCE_CONTINUE;
}

void Frame::take(const FromDecoder& message) {
  const Area& area = message.area;
  if (message.kind == FromDecoder::kEnded) {
    std::string reason(message.reason, strnlen(message.reason, sizeof message.reason));
    // Of a process that the zone may have taken over.
    for (char& c : reason)
      if (c < ' ' || c > '~') c = '?';
    return end(make_error(Code::kState, reason));
  }
  Size size = {area.width, area.height};
  if (message.kind == FromDecoder::kSize && fits_canvas(size)) {
    size_ = size;
    return gtk_widget_queue_draw(picture_);
  }
  if (message.kind != FromDecoder::kDamage || size_.width == 0) return;
  Placement placed = placement();
  constexpr double kRounding = 2;
  auto scaled = [&](uint32_t value) { return std::min(value, kMaxSide) * placed.scale; };
  gtk_widget_queue_draw_area(picture_, static_cast<int>(placed.left + scaled(area.x) - kRounding),
                             static_cast<int>(placed.top + scaled(area.y) - kRounding),
                             static_cast<int>(scaled(area.width) + 2 * kRounding),
                             static_cast<int>(scaled(area.height) + 2 * kRounding));
}

void Frame::draw(cairo_t* cairo) const {
  cairo_set_source_rgb(cairo, 0, 0, 0);
  cairo_paint(cairo);
  if (size_.width == 0) return;
  Placement placed = placement();
  int width = static_cast<int>(size_.width);
  int height = static_cast<int>(size_.height);
  cairo_surface_t* screen = cairo_image_surface_create_for_data(
      canvas_, CAIRO_FORMAT_RGB24, width, height, width * static_cast<int>(kPixelBytes));
  cairo_translate(cairo, placed.left, placed.top);
  cairo_scale(cairo, placed.scale, placed.scale);
  cairo_set_source_surface(cairo, screen, 0, 0);
  if (placed.scale == 1) cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_NEAREST);
  cairo_rectangle(cairo, 0, 0, width, height);
  cairo_fill(cairo);
  cairo_surface_destroy(screen);
}

void Frame::send_key(guint16 hardware, guint keysym, bool down) {
  auto held = pressed_.find(hardware);
  if (!down && held == pressed_.end()) return;
  // Released as what it was pressed as, whatever shift does meanwhile.
  ToDecoder message{ToDecoder::kKey};
  message.keysym = down ? keysym : held->second;
  message.pressed = down ? 1 : 0;
  if (down) {
    pressed_[hardware] = keysym;
  } else {
    pressed_.erase(held);
  }
  send(message);
}

void Frame::release_keys() {
  while (!pressed_.empty()) send_key(pressed_.begin()->first, 0, false);
}

// Every key is the zone's, but for the one that leaves the full screen.
gboolean Frame::on_key(GtkWidget* window, GdkEventKey* event, gpointer self) {
  constexpr guint kOurs = GDK_CONTROL_MASK | GDK_MOD1_MASK;
  bool down = event->type == GDK_KEY_PRESS;
  if (event->keyval == GDK_KEY_Return && (event->state & kOurs) == kOurs) {
    if (!down) return TRUE;
    of(self).release_keys();
    auto toggle = of(self).fullscreen_ ? gtk_window_unfullscreen : gtk_window_fullscreen;
    toggle(GTK_WINDOW(window));
    return TRUE;
  }
  of(self).send_key(event->hardware_keycode, event->keyval, down);
  return TRUE;
}

void Frame::send_pointer(double x, double y) {
  if (size_.width == 0) return;
  Area pixel = pixel_at(placement(), size_, x, y);
  send({ToDecoder::kPointer, 0, buttons_, pixel.x, pixel.y});
}

// GDK counts from 1: left, middle, right.
gboolean Frame::on_button(GtkWidget*, GdkEventButton* event, gpointer self) {
  Frame& frame = of(self);
  bool down = event->type == GDK_BUTTON_PRESS;
  if (event->button < 1 || event->button > 3) return TRUE;
  if (!down && event->type != GDK_BUTTON_RELEASE) return TRUE;
  auto bit = static_cast<uint8_t>(1U << (event->button - 1));
  frame.buttons_ = static_cast<uint8_t>(down ? frame.buttons_ | bit : frame.buttons_ & ~bit);
  frame.send_pointer(event->x, event->y);
  return TRUE;
}

// A wheel is two buttons, pressed and released.
gboolean Frame::on_scroll(GtkWidget*, GdkEventScroll* event, gpointer self) {
  Frame& frame = of(self);
  if (event->direction != GDK_SCROLL_UP && event->direction != GDK_SCROLL_DOWN) return TRUE;
  uint8_t held = frame.buttons_;
  frame.buttons_ = static_cast<uint8_t>(held | (event->direction == GDK_SCROLL_UP ? 8 : 16));
  frame.send_pointer(event->x, event->y);
  frame.buttons_ = held;
  frame.send_pointer(event->x, event->y);
  return TRUE;
}

}  // namespace

Status show_frame(const Identity& identity, const Decoder& decoder, const Canvas& canvas) {
  if (gtk_init_check(nullptr, nullptr) == FALSE)
    return make_error(Code::kUnsupported, "no graphical session: DISPLAY can't be opened",
                      "run it in one, or let a VNC viewer connect: zone vnc " + identity.zone);
  return Frame(identity, decoder, canvas).run();
}

}  // namespace view
