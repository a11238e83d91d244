deps:
	@contrib/deps.sh build test

.PHONY: deps
