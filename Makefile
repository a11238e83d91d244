# One Makefile: each folder adds its sources in its module.mk. No recursion.
# MODE=release (default) | test (fault points compiled in) | asan (AddressSanitizer, UBSan, faults)
MODE ?= release
BUILD ?= build/$(MODE)
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
CXX ?= g++
CCACHE := $(shell command -v ccache 2>/dev/null)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wold-style-cast -Wsuggest-override \
  -Wformat=2 -Wimplicit-fallthrough
ifneq (,$(findstring g++,$(CXX)))
WARNINGS += -Wduplicated-cond -Wlogical-op
endif
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
  -ftrivial-auto-var-init=zero -D_GLIBCXX_ASSERTIONS
CXXFLAGS_release := -O2 -D_FORTIFY_SOURCE=3
CXXFLAGS_test := -O1 -D_FORTIFY_SOURCE=3 -DZONED_FAULTS
CXXFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -DZONED_FAULTS
LDFLAGS_asan := -fsanitize=address,undefined
CXXFLAGS := -std=c++20 -I. -fPIE -MMD -MP $(WARNINGS) $(HARDENING) $(CXXFLAGS_$(MODE)) \
  -DZONED_VERSION='"$(VERSION)"' -D_GNU_SOURCE
LDFLAGS := -Wl,-z,relro,-z,now -pie $(LDFLAGS_$(MODE))
# The client and the keeper start fast and stay small: static (the sanitizers need dynamic).
STATIC := $(if $(filter asan,$(MODE)),,-static-pie)

all:

# library NAME SOURCES: archives objects into $(BUILD)/libNAME.a
define library
lib_$(1) := $(BUILD)/lib$(1).a
objs_$(1) := $(patsubst %.cc,$(BUILD)/obj/%.o,$(2))
$(BUILD)/lib$(1).a: $$(objs_$(1))
	@mkdir -p $$(@D); rm -f $$@
	@$(AR) rcsD $$@ $$^
all_objs += $$(objs_$(1))
endef

# program NAME MAIN LIBRARIES LINKFLAGS: MAIN is one source; libraries from the top down
define program
$(BUILD)/$(1): $(patsubst %.cc,$(BUILD)/obj/%.o,$(2)) $(foreach l,$(3),$(BUILD)/lib$(l).a)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CXX) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(4)
all_objs += $(patsubst %.cc,$(BUILD)/obj/%.o,$(2))
endef

$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  CXX  $<"
	@$(CCACHE) $(CXX) $(CXXFLAGS) $(CXXFLAGS_EXTRA) -c -o $@ $<

include base/module.mk labels/module.mk resource/module.mk netns/module.mk vmzone/module.mk
include zoned/api/module.mk zoned/core/module.mk zoned/daemon/module.mk cli/module.mk
include tests/harness/module.mk tests/module.mk tests/victims/module.mk tests/root/reliability.mk man/module.mk contrib/module.mk
include tests/root/module.mk
include tests/targets.mk

all: $(programs)

clean:
	rm -rf build

-include $(all_objs:.o=.d)
.PHONY: all clean
.DELETE_ON_ERROR:
