# Included by the Makefile, whose $(RUN) and $(READY) it uses.
# The end-to-end suite on real hosts: root on Debian; it installs by apt what the machine lacks.
.PHONY: test-fleet fleet-up fleet-down

# The unit suite leaves this directory out by an option of pyproject.toml; here it is all there is.
test-fleet: $(READY)
	$(RUN) -m pytest -o addopts="-ra --strict-markers --strict-config" -n 3 --dist loadfile --durations=10 tests/fleet

# A few hosts to try things on, by hand: make fleet-up HOSTS="web-1 web-2"
HOSTS ?= 4
fleet-up: $(READY)
	$(RUN) -m tests.fleet.testbed up $(HOSTS)

fleet-down: $(READY)
	$(RUN) -m tests.fleet.testbed down
