base_srcs := $(wildcard base/*.cc)
$(eval $(call library,base,$(base_srcs)))
