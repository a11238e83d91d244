api_text := $(BUILD)/gen/api_text.cc
$(api_text) build/fuzz/gen/api_text.cc: zoned/api/io.zoned.varlink zoned/api/module.mk
	@mkdir -p $(@D)
	@{ printf '#include "zoned/api/idl.h"\nnamespace api {\nstd::string_view interface_text() {\n'; \
	   printf '  return R"varlink('; cat $<; printf ')varlink";\n}\n}  // namespace api\n'; } > $@.new
	@mv $@.new $@

api_srcs := $(filter-out zoned/api/main%.cc,$(wildcard zoned/api/*.cc)) $(api_text)
$(eval $(call library,api,$(api_srcs)))
