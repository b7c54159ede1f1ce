# SPDX-License-Identifier: BSD-2-Clause
# stoker's one Makefile. `make help` lists the targets; O= builds elsewhere, V=1 shows the commands, DEV=1 makes warnings
# errors, SANITIZE=address,undefined instruments, DESTDIR= and PREFIX= say where `make install` puts things.

O ?= build
PREFIX ?= /usr/local
VERSION := 0.1.0
CC := gcc
CLANG ?= clang-14
LLVM_STRIP ?= llvm-strip-14
BPFTOOL ?= $(firstword $(shell command -v bpftool) /usr/sbin/bpftool)
BTF ?= /sys/kernel/btf/vmlinux
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s %s\n' $(1) $(2))

# A build with other flags gets a folder of its own, so that the two never mix.
ifdef SANITIZE
override O := $(O)/sanitize
endif

CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter -Wno-missing-field-initializers \
	-fno-strict-aliasing -D_GNU_SOURCE -DSTOKER_VERSION='"$(VERSION)"' -I. -I$(O)/gen
ifdef DEV
override CFLAGS += -Werror
endif
ifdef SANITIZE
override CFLAGS += -O1 -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
LIBS := -lbpf -lelf -ldw -lzstd -llzma -lz -ljson-c -liberty -lseccomp -lpthread -lm
BPF_CFLAGS := -O2 -g -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -Wall -Werror -I. -I$(O)/gen

SOURCES := $(wildcard symbolizer/*.c symbolizer/base/*.c profiler/*.c profiler/*/*.c)
OBJECTS := $(SOURCES:%.c=$(O)/%.o)
LIBRARY := $(O)/libstoker.a
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:%.c=$(O)/%.o)
SKELETON := $(O)/gen/stoker.skel.h
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(O)/%)
PROGRAM_SOURCES := $(wildcard tests/fixtures/*.c tests/fixtures/*.cc examples/*/*.c)
PROGRAMS := $(addprefix $(O)/,$(basename $(PROGRAM_SOURCES)))
# Debian's compiler, where it is; the test that wants these programs misses them where it is not.
RUSTC ?= $(wildcard /usr/bin/rustc)
PROGRAMS += $(if $(RUSTC),$(patsubst %.rs,$(O)/%,$(wildcard tests/fixtures/*.rs)) $(patsubst %.rs,$(O)/%_v0,$(wildcard tests/fixtures/*.rs)))

all: $(O)/stoker ## build stoker (the default)

help: ## list the targets
	@sed -n 's/^\([a-z_-]*\):.*## /  \1\t/p' Makefile | expand -t 22

$(O)/stoker: $(O)/profiler/main.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

$(LIBRARY): $(filter-out $(O)/profiler/main.o,$(OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# The kernel side: one object out of all programs, one skeleton out of that.
$(O)/gen/vmlinux.h: Makefile
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && if [ -r $(BTF) ]; then $(BPFTOOL) btf dump file $(BTF) format c >$@.new; \
		else cp bpf/vmlinux-min.h $@.new; fi && mv $@.new $@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/gen/vmlinux.h Makefile
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $< && $(LLVM_STRIP) -g $@

$(O)/gen/stoker.bpf.o: $(BPF_OBJECTS)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(O)/gen/stoker.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name stoker_bpf >$@.new && mv $@.new $@

$(filter $(O)/profiler/collect/%,$(OBJECTS)): $(SKELETON)
$(O)/profiler/render/flame_script.o: profiler/render/flame.js profiler/render/flame.css

unit: $(UNIT_TESTS:%=%.run) ## run the unit tests: no root, no kernel

# A static rule: make looks for no pattern rule where a target is phony.
$(UNIT_TESTS:%=%.run): %.run: %
	$(Q)$<

.PRECIOUS: $(UNIT_TESTS)
$(O)/tests/unit/%: tests/unit/%.c $(LIBRARY) Makefile
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(LIBRARY) -lcmocka $(LIBS)

unit-programs: $(UNIT_TESTS) ## build the unit tests, and do not run them

# What benches measure with, where there is no command for it.
$(O)/tests/bench/%: tests/bench/%.c $(LIBRARY) Makefile
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

# What is profiled in tests and examples: made to be read in a profile, in no way of stoker's own.
PROGRAM_CFLAGS := -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -fno-omit-frame-pointer -fno-optimize-sibling-calls

# As distributions build theirs: without frame pointers; _static against the C library's archive, where there is no loader.
NO_FP_CFLAGS := -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -fomit-frame-pointer -fno-optimize-sibling-calls
PROGRAMS += $(patsubst %,$(O)/tests/fixtures/%,unwind_chain_nofp unwind_shapes_nofp unwind_throw_nofp \
	unwind_chain_static unwind_plugin_nofp.so other_plugin_nofp.so shortlived_nofp)

fixtures: $(PROGRAMS) ## build the programs that tests and examples run in containers

$(O)/tests/fixtures/%_nofp: tests/fixtures/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(NO_FP_CFLAGS) -o $@ $< -lpthread -lm

$(O)/tests/fixtures/%_nofp: tests/fixtures/%.cc Makefile
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) -std=gnu++17 $(NO_FP_CFLAGS) -o $@ $< -lpthread

$(O)/tests/fixtures/%_static: tests/fixtures/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(NO_FP_CFLAGS) -static -o $@ $<

$(O)/tests/fixtures/%_nofp.so: tests/fixtures/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(NO_FP_CFLAGS) -fPIC -shared -o $@ $<

$(O)/tests/fixtures/%: tests/fixtures/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(PROGRAM_CFLAGS) -o $@ $< -lpthread -lm

$(O)/tests/fixtures/%: tests/fixtures/%.cc Makefile
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) -std=gnu++17 $(PROGRAM_CFLAGS) -o $@ $<

# Both ways in which Rust mangles names: the older one is what the compiler does by itself.
RUST_FLAGS := -C opt-level=1 -g -C force-frame-pointers=yes -D warnings

$(O)/tests/fixtures/%_v0: tests/fixtures/%.rs Makefile
	$(call say,RUSTC,$<)
	$(Q)mkdir -p $(@D) && $(RUSTC) $(RUST_FLAGS) -C symbol-mangling-version=v0 -o $@ $<

$(O)/tests/fixtures/%: tests/fixtures/%.rs Makefile
	$(call say,RUSTC,$<)
	$(Q)mkdir -p $(@D) && $(RUSTC) $(RUST_FLAGS) -o $@ $<

$(O)/examples/%: examples/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(PROGRAM_CFLAGS) -o $@ $< -lpthread -lm

# Each tests/fuzz/fuzz_NAME.c is one target; its inputs start from tests/fuzz/corpus_NAME. What it calls comes from an
# archive of all but the room that needs a kernel and the commands, instrumented.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJECTS := $(patsubst %.c,$(O)/fuzz/%.o,$(filter-out profiler/main.c profiler/collect/% profiler/commands/%,$(SOURCES)))
FUZZ_CFLAGS := -O1 -g -std=gnu11 -D_GNU_SOURCE -DSTOKER_VERSION='"$(VERSION)"' -I. -fno-omit-frame-pointer \
	-fno-sanitize-recover=all

fuzz: $(FUZZ_TARGETS:%=%.run) ## hostile inputs for every tests/fuzz/fuzz_*.c, FUZZ_SECONDS=60 each

fuzz-programs: $(FUZZ_TARGETS) ## build the fuzz targets, and do not run them

# What it finds stays in the output folder: fuzz_NAME.found grows, crash-* and slow-unit-* are for a person.
$(FUZZ_TARGETS:%=%.run): %.run: %
	$(call say,FUZZ,$(notdir $<))
	$(Q)tests/fuzz/run $< $(FUZZ_SECONDS)

.PRECIOUS: $(FUZZ_TARGETS)
$(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(O)/fuzz/libfuzzed.a Makefile
	$(call say,CLANG,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -MMD -MP -MF $@.d -o $@ $< \
		$(O)/fuzz/libfuzzed.a $(LIBS)

$(O)/fuzz/libfuzzed.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/fuzz/%.o: %.c Makefile
	$(call say,CLANG,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(O)/fuzz/profiler/render/flame_script.o: profiler/render/flame.js profiler/render/flame.css

layers: ## check who includes whom (docs/ARCHITECTURE.md)
	$(Q)tests/unit/layers $(O)

check: all unit-programs fixtures ## unit tests, layering, system tests as root; SANITIZE= for the unit tests under sanitizers
	$(Q)tests/run-all $(O) $(if $(SANITIZE),unit,)

kernels: all fixtures ## boot other kernels in virtual machines and record there (docs/kernels.md)
	$(Q)tests/kernels/run $(O)

install: all ## install below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(O)/stoker $(DESTDIR)$(PREFIX)/bin/stoker
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(wildcard docs/man/*.1)

format: ## put the sources into the committed style
	clang-format -i $(wildcard bpf/*.[ch] symbolizer/*.[ch] symbolizer/base/*.[ch] profiler/*.[ch] profiler/*/*.[ch] tests/*/*.[ch])

compile_commands.json: Makefile ## for clangd
	$(Q)bear -- $(MAKE) -B O=$(O)/bear all

clean: ## remove what was built
	rm -rf $(O)

-include $(OBJECTS:.o=.d) $(BPF_OBJECTS:.o=.d) $(UNIT_TESTS:%=%.d) $(FUZZ_OBJECTS:.o=.d) $(FUZZ_TARGETS:%=%.d)
.PHONY: all help unit unit-programs fixtures fuzz fuzz-programs layers check kernels install format clean $(UNIT_TESTS:%=%.run) \
	$(FUZZ_TARGETS:%=%.run)
