# Fuzzers: libFuzzer with AddressSanitizer and UBSan. `make fuzz` runs each for FUZZ_SECONDS on its
# corpus (0: the corpus alone) and fails on the first finding, whose input stays in build/fuzz/.
#
# fuzz_target NAME SOURCES LINKFLAGS: build/fuzz/NAME from tests/fuzz/NAME_fuzz.cc and the library
# sources it needs; its seeds are in tests/fuzz/corpus/NAME, its words in tests/fuzz/NAME.dict, if any.
FUZZ_SECONDS ?= 20
FUZZ_CXX ?= clang++-14
FUZZ_CXXFLAGS := -std=c++20 -I. -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize-recover=all -Wall -Wextra -D_GLIBCXX_ASSERTIONS -DZONED_VERSION='"$(VERSION)"' \
  -D_GNU_SOURCE -MMD -MP

build/fuzz/obj/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  FUZZ $<"
	@$(CCACHE) $(FUZZ_CXX) $(FUZZ_CXXFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

define fuzz_target
fuzz_objs_$(1) := $(patsubst %.cc,build/fuzz/obj/%.o,$(sort tests/fuzz/$(1)_fuzz.cc $(2)))
build/fuzz/$(1): $$(fuzz_objs_$(1))
	@echo "  LINK $$@"
	@$(FUZZ_CXX) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(3)
run-fuzz-$(1): build/fuzz/$(1)
	@mkdir -p build/fuzz/corpus/$(1)
	@echo "  RUN  $$<, $(FUZZ_SECONDS) s"
	@$$< $(if $(filter 0,$(FUZZ_SECONDS)),-runs=0,-max_total_time=$(FUZZ_SECONDS)) -timeout=10 \
	  -rss_limit_mb=2048 -verbosity=0 -artifact_prefix=build/fuzz/$(1)- \
	  $(patsubst %,-dict=%,$(wildcard tests/fuzz/$(1).dict)) \
	  build/fuzz/corpus/$(1) tests/fuzz/corpus/$(1)
fuzz_runs += run-fuzz-$(1)
fuzz_objs += $$(fuzz_objs_$(1))
.PHONY: run-fuzz-$(1)
endef

$(eval $(call fuzz_target,config,$(wildcard zoned/core/spec*.cc zoned/core/config_*.cc) netns/address.cc netns/firewall.cc netns/instance.cc netns/network.cc base/bits.cc base/strings.cc base/result.cc))
$(eval $(call fuzz_target,api,$(filter-out zoned/api/client.cc zoned/api/audit%,$(wildcard zoned/api/*.cc)) build/fuzz/gen/api_text.cc base/event_loop.cc base/files.cc base/result.cc base/strings.cc base/unix_socket.cc))
$(eval $(call fuzz_target,answer,zoned/core/parse_answer.cc zoned/core/encodings_value.cc $(wildcard labels/*.cc) $(wildcard zoned/core/spec*.cc zoned/core/config_*.cc) netns/address.cc netns/firewall.cc netns/instance.cc netns/network.cc base/bits.cc zoned/api/message.cc zoned/api/tagged.cc base/strings.cc base/result.cc))
$(eval $(call fuzz_target,audit,zoned/api/audit_check.cc zoned/api/audit_record.cc base/sha256.cc base/strings.cc base/result.cc,-lnettle))
$(eval $(call fuzz_target,mountinfo,base/mountinfo.cc base/strings.cc base/result.cc))
$(eval $(call fuzz_target,state,zoned/daemon/state.cc zoned/core/keeper_protocol.cc labels/label.cc base/strings.cc base/result.cc))
$(eval $(call fuzz_target,encodings,$(wildcard labels/*.cc) base/strings.cc base/result.cc))
$(eval $(call fuzz_target,qmp,$(wildcard vmzone/qmp*.cc) vmzone/control.cc vmzone/cd.cc vmzone/fdset.cc base/event_loop.cc base/files.cc base/result.cc base/strings.cc base/unix_socket.cc))
$(eval $(call fuzz_target,dhcp6,netns/dhcp6.cc netns/address.cc base/strings.cc base/result.cc))
$(eval $(call fuzz_target,rfb,cli/view/rfb.cc base/result.cc))
$(eval $(call fuzz_target,qcow2,vmzone/qcow2.cc vmzone/disk_format.cc base/strings.cc base/result.cc))

fuzz:
	@contrib/deps.sh lint
	@$(MAKE) --no-print-directory $(fuzz_runs)

-include $(fuzz_objs:.o=.d)
.PHONY: fuzz
