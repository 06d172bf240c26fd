# A gateway on this machine (README). A second make builds, since what is installed decides what is
# built. HOST: the name at which devices reach this machine.
# HOST of the environment is some shells' own name of the machine.
LAUNCHER = B="$(B)" HOST="$(if $(filter command,$(origin HOST)),$(HOST))" /usr/bin/python3 deploy/launcher
need_root = $(if $(filter 0,$(shell id -u)),,$(error make $@ needs root))

up:
	@: $(need_root)
	@[ ! -x /usr/bin/python3 ] || $(LAUNCHER) check
	@deploy/deps build run
	@$(MAKE) -s --no-print-directory -j$$(nproc) B="$(B)" $(addprefix $(B)/bin/,$(DAEMONS)) $(B)/culvert.acl
	@$(LAUNCHER) up
down:
	@: $(need_root)
	@$(LAUNCHER) down

.PHONY: up down
