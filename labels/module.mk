labels_srcs := $(wildcard labels/*.cc)
$(eval $(call library,labels,$(labels_srcs)))
