cli_srcs := $(filter-out cli/main%.cc,$(wildcard cli/*.cc))
$(eval $(call library,cli,$(cli_srcs)))
$(eval $(call program,zone,cli/main_zone.cc,cli api labels base,$(STATIC) -lnettle))
programs += $(BUILD)/zone

# zone-view: apart, so that `zone` needs no graphical libraries.
view_srcs := $(filter-out cli/view/main%.cc cli/view/frame.cc,$(wildcard cli/view/*.cc))
$(eval $(call library,view,$(view_srcs)))
$(eval $(call library,viewframe,cli/view/frame.cc))
gtk_cflags := $(patsubst -I%,-isystem%,$(shell pkg-config --cflags gtk+-3.0 2>/dev/null))
$(BUILD)/obj/cli/view/frame.o: CXXFLAGS_EXTRA += $(gtk_cflags)
gtk_libs := $(shell pkg-config --libs gtk+-3.0 2>/dev/null)
$(eval $(call program,zone-view,cli/view/main_view.cc,viewframe view base,$(gtk_libs) -lseccomp))
programs += $(BUILD)/zone-view
