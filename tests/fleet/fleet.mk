# The end-to-end suite on real hosts: root on Debian; installs by apt what the machine lacks.
.PHONY: test-fleet fleet-up fleet-down

FLEET_PYTHON ?= $(RUN)

test-fleet: $(READY)
	$(FLEET_PYTHON) -m pytest -o addopts="-ra --strict-markers --strict-config" --durations=15 tests/fleet

# A few hosts to try things on, by hand: make fleet-up HOSTS="web-1 web-2"
HOSTS ?= 4
fleet-up:
	$(FLEET_PYTHON) -m tests.fleet.testbed up $(HOSTS)

fleet-down:
	$(FLEET_PYTHON) -m tests.fleet.testbed down
