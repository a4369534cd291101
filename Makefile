.PHONY: test
test:
	@tools/test
