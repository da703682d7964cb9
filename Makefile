# Front door of the repository. `make` lists the targets; everything is set up inside them, in .venv and build/.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# One argument for the shell, whatever characters it holds.
quote = '$(subst ','\'',$(1))'
option = $(if $($(2)),$(1) $(call quote,$($(2))))

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help sim bulk wrong-designs museum coverage waves sv-bench synth formal mutate mutate-model docs silicon mmasim test exhaustive \
  laws evidence check-evidence lint clean iverilog ghdl

help:  ## this list
	@echo "make TARGET [NAME=value ...]"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p; s/^## ?(.*)/    \1/p' $(MAKEFILE_LIST) | expand -t 14

sim: $(VENV)/.sim $(if $(filter icarus,$(SIM)),iverilog)  ## simulate the RTL against the model, bit for bit; ends with a table
## SIM=verilator|icarus   simulator (default verilator)
## UNIT=LIST              names of described designs (default: all of rtl/)
## DUT=FILE               the description of a design from elsewhere, see docs/dut.md
## FORMATS=LIST           block formats, or pairs as 'mxfp8_e4m3*mxfp4_e2m1'; RULE=, RESULT=, LANES=, DEPTH= likewise
## ALL=1                  every configuration that is described, not the quick ones
## CONFIG=NAME            one configuration, by the name that a run prints
## INPUT=FILE[:NAME]      .npy, .npz or .safetensors to take blocks from (default: shipped tensors)
## INPUT_B=FILE[:NAME]    the same for operand B (default: INPUT)
## COUNT=N                vectors a set, at least (default 20000, of several blocks 5000; under icarus 500)
## SEED=N                 seed of vectors and stalls (default 1)
## VECTOR=N               play this vector alone; needs UNIT and CONFIG
## CLASSES=1              print the vectors of each stimulus class, too
## JOBS=N                 simulations at a time (default: one a core)
	@$(BIN)/python -m cocotb_tests.run \
	  $(call option,--sim,SIM) $(call option,--dut,DUT) $(call option,--unit,UNIT) $(call option,--formats,FORMATS) \
	  $(call option,--rule,RULE) $(call option,--result,RESULT) $(call option,--lanes,LANES) $(call option,--depth,DEPTH) \
	  $(call option,--config,CONFIG) $(if $(ALL),--all) $(call option,--jobs,JOBS) \
	  $(call option,--input,INPUT) $(call option,--input-b,INPUT_B) $(call option,--count,COUNT) \
	  $(call option,--seed,SEED) $(call option,--vector,VECTOR) $(if $(CLASSES),--classes)

bulk: $(VENV)/.sim  ## the same in bulk: vectors from files through a C++ driver of the design, with Verilator
## UNIT=, FORMATS= ...    what names configurations in `make sim`; INPUT=, INPUT_B=, CLASSES=, JOBS= likewise
## COUNT=N                vectors a configuration, in sets of seeds SEED, SEED + 1, ... (default: one set, of 5 times
##                        the vectors of `make sim`)
## RECORD=FILE            add a line a set to FILE; sets that passed there are not played again
	@$(BIN)/python -m cocotb_tests.bulk \
	  $(call option,--dut,DUT) $(call option,--unit,UNIT) $(call option,--formats,FORMATS) \
	  $(call option,--rule,RULE) $(call option,--result,RESULT) $(call option,--lanes,LANES) $(call option,--depth,DEPTH) \
	  $(call option,--config,CONFIG) $(if $(ALL),--all) $(call option,--jobs,JOBS) \
	  $(call option,--input,INPUT) $(call option,--input-b,INPUT_B) $(call option,--count,COUNT) \
	  $(call option,--seed,SEED) $(call option,--record,RECORD) $(if $(CLASSES),--classes)

wrong-designs: $(VENV)/.test  ## judge the wrong designs of tests/wrong_designs, all of them, and see each bug named (minutes)
	@WRONG_DESIGNS=all $(BIN)/python -m pytest -q tests/test_conform.py

museum: $(VENV)/.sim  ## plant every fault of the bug museum in the RTL and see it caught; writes evidence/museum.json
## ONLY=LIST              names of faults, as shell patterns separated by commas (default all)
## COUNT=N, SEED=N        vectors a set (default as in make sim), their seed; JOBS= as in make sim
	@$(BIN)/python -m cocotb_tests.museum.run $(call option,--only,ONLY) $(call option,--count,COUNT) \
	  $(call option,--seed,SEED) $(call option,--jobs,JOBS)

coverage: $(VENV)/.sim  ## count what the vectors meet, bins of docs/coverage.md and code; writes evidence/coverage.json
## UNIT=, FORMATS= ...    what names configurations in `make sim`; COUNT=, SEED=, INPUT= the sets; JOBS= likewise
	@$(BIN)/python -m cocotb_tests.coverage.run \
	  $(call option,--dut,DUT) $(call option,--unit,UNIT) $(call option,--formats,FORMATS) \
	  $(call option,--rule,RULE) $(call option,--result,RESULT) $(call option,--lanes,LANES) $(call option,--depth,DEPTH) \
	  $(call option,--config,CONFIG) $(if $(ALL),--all) $(call option,--jobs,JOBS) \
	  $(call option,--input,INPUT) $(call option,--input-b,INPUT_B) $(call option,--count,COUNT) $(call option,--seed,SEED)

sv-bench: $(VENV)/.sim $(if $(filter verilator,$(SIM)),,iverilog)  ## check mx_dot by the plain SystemVerilog bench in sv_bench/
## SIM=icarus|verilator   simulator (default icarus)
## FORMATS=, RULE= ...    what names configurations in `make sim`; COUNT=, SEED=, INPUT= the set
	@$(BIN)/python -m flows.sv_bench $(call option,--sim,SIM) $(call option,--formats,FORMATS) \
	  $(call option,--rule,RULE) $(call option,--result,RESULT) $(call option,--lanes,LANES) $(call option,--depth,DEPTH) \
	  $(call option,--config,CONFIG) $(if $(ALL),--all) $(call option,--input,INPUT) $(call option,--input-b,INPUT_B) \
	  $(call option,--count,COUNT) $(call option,--seed,SEED)

waves: $(VENV)/.sim iverilog  ## play one vector alone and keep its waves, with a layout for GTKWave, in build/waves
## VECTOR=N               number of the vector, as a report of `make sim` names it
## UNIT=, FORMATS= ...    what names the configuration in `make sim`; COUNT=, SEED=, INPUT= the set
	@$(BIN)/python -m flows.waves $(call option,--dut,DUT) $(call option,--unit,UNIT) $(call option,--formats,FORMATS) \
	  $(call option,--rule,RULE) $(call option,--result,RESULT) $(call option,--lanes,LANES) $(call option,--depth,DEPTH) \
	  $(call option,--config,CONFIG) $(call option,--input,INPUT) $(call option,--input-b,INPUT_B) \
	  $(call option,--count,COUNT) $(call option,--seed,SEED) $(call option,--vector,VECTOR)

synth: $(if $(YOSYS),$(VENV)/.sim,$(VENV)/.synth)  ## synthesise every unit; what stands in docs/synthesis.json is not done again
## YOSYS=NAME             another Yosys than that of PyPI, as yosys of Debian's package
## UNIT=LIST, ONLY=TEXT   units; parameter sets whose name or title holds this (default all)
## KINDS=LIST             of xc7,gates,ecp5 (default all)
## LIMIT=N, JOBS=N        seconds a measurement (default 900), processes (default 2)
	@$(BIN)/python -m flows.synthesis.run $(call option,--yosys,YOSYS) $(call option,--unit,UNIT) \
	  $(call option,--only,ONLY) $(call option,--kinds,KINDS) $(call option,--limit,LIMIT) $(call option,--jobs,JOBS)

mutate: $(VENV)/.formal  ## plant faults in units and see that each is caught, or proven to change nothing; ends with a table
## UNIT=LIST              units (default all, each in the configuration nearest to its default parameters)
## FORMATS=LIST, CONFIG=NAME  other configurations, as `make sim` names them
## MUTANTS=N, SEED=LIST   faults a list (default 1000), seeds of the lists (default 1)
## YOSYS=NAME             another Yosys than that of PyPI, as yosys of Debian's package
## LIMIT=N, JOBS=N        seconds a query of the solver (default 60), processes (default: one a core)
	@$(BIN)/python -m flows.mutation.run $(call option,--unit,UNIT) $(call option,--formats,FORMATS) \
	  $(call option,--config,CONFIG) $(call option,--mutants,MUTANTS) $(call option,--seed,SEED) \
	  $(call option,--yosys,YOSYS) $(call option,--limit,LIMIT) $(call option,--jobs,JOBS)

mutate-model: $(VENV)/.mutation  ## change the Python model in one place at a time and see that an answer becomes wrong
## ONLY=LIST              modules of the numeric core (default all); MUTANTS=N a module, at most (default 100)
## SEED=N, JOBS=N         seed of the choice (default 1), processes (default: one a core)
	@$(BIN)/python -m flows.model_mutation.run $(call option,--only,ONLY) $(call option,--mutants,MUTANTS) \
	  $(call option,--seed,SEED) $(call option,--jobs,JOBS)

formal: $(VENV)/.formal  ## prove units over all inputs, each proof beside a fault that it must find; ends with a table
## YOSYS=NAME             another Yosys than that of PyPI, as yosys of Debian's package
## UNIT=LIST, ONLY=TEXT   units; properties whose name and parameters hold this (default all)
## LIMIT=N, JOBS=N        seconds a proof (default 900), processes (default 2)
## AGAIN=1                prove also what stands in evidence/formal.json
	@$(BIN)/python -m flows.formal.run $(call option,--yosys,YOSYS) $(call option,--unit,UNIT) \
	  $(call option,--only,ONLY) $(call option,--limit,LIMIT) $(call option,--jobs,JOBS) $(if $(AGAIN),--again)

docs: $(VENV)/.sim  ## write the datasheets in docs/units and docs/synthesis.md from headers, descriptions and figures
	@$(BIN)/python -m flows.datasheets.run

silicon: $(VENV)/.sim  ## replay results recorded from silicon through the model; every bit must match
## RECORDINGS=DIR         a folder with further recordings, of the layout in silicon/recordings.py
	@$(BIN)/python -m silicon $(call option,--recordings,RECORDINGS)

mmasim: $(VENV)/.silicon  ## compare the model with the simulator mmasim, all its instructions (minutes)
## COUNT=N                dot products an instruction (default 100000)
## ONLY=TEXT              instructions or rules whose name holds this
	@PATH=$(BIN):$$PATH $(BIN)/python -m silicon.simulators $(call option,--count,COUNT) $(call option,--only,ONLY)

test: $(VENV)/.test iverilog ghdl  ## every test, both simulators included
	@$(BIN)/python -m pytest -q -n auto --dist loadfile

exhaustive: $(VENV)/.test  ## try every input there is: all Float32, all scales; an interrupted run is taken up again
## ONLY=PATTERNS          sweeps to run, as 'encode-e4m3-*,dequantize-*' (default all; 12 minutes of 2 cores)
## JOBS=N                 processes (default: all cores)
	@$(BIN)/python -m exhaustive.run $(call option,--only,ONLY) $(call option,--jobs,JOBS)

evidence:  ## make what stands in evidence/ again, hours; interrupted, it goes on; then write its figures into README.md
	@$(MAKE) formal && $(MAKE) mutate SEED=1,2 && $(MAKE) coverage && $(MAKE) museum && $(MAKE) laws COUNT=30000
	@$(BIN)/python -m flows.evidence.run --write

check-evidence: $(VENV)/.sim  ## refuse evidence that is empty, incomplete, doctored or not what README.md says
	@$(BIN)/python -m flows.evidence.run

laws: $(VENV)/.sim  ## laws of dot products on the model: permutation, sign, scale shift, padding, split and join
## COUNT=N, SEED=N        dot products a law, rule and pair of formats (default 30000), seed (default 1)
	@$(BIN)/python -m metamorphic.run $(call option,--count,COUNT) $(call option,--seed,SEED) $(call option,--jobs,JOBS)

lint: $(VENV)/.test  ## Verilator -Wall, slang and Verible over rtl/, ruff and mypy over Python; silent when clean
	@$(BIN)/python -m flows.lint
	@$(BIN)/ruff check --quiet . && $(BIN)/mypy --no-error-summary

clean:  ## remove build/ and .venv
	@rm -rf build $(VENV) *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment holds what its stamp says: .sim for simulation, .test for that and the tests.
$(VENV)/.sim: pyproject.toml | $(BIN)/python
	@test -e $(VENV)/.test && test $(VENV)/.test -nt pyproject.toml || \
	  { echo "installing the packages of extra 'sim' into $(VENV) ..." && $(BIN)/pip install -qq --disable-pip-version-check -e '.[sim]'; }
	@touch $@

$(VENV)/.synth: pyproject.toml $(VENV)/.sim | $(BIN)/python
	@echo "installing the packages of extra 'synth' into $(VENV) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[synth]'
	@touch $@

$(VENV)/.formal: pyproject.toml $(VENV)/.sim | $(BIN)/python
	@echo "installing the packages of extra 'formal' into $(VENV) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[formal]'
	@touch $@

$(VENV)/.mutation: pyproject.toml $(VENV)/.sim | $(BIN)/python
	@echo "installing the packages of extra 'mutation' into $(VENV) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[mutation]'
	@touch $@

$(VENV)/.silicon: pyproject.toml | $(BIN)/python
	@echo "installing the packages of extra 'silicon' into $(VENV) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[silicon]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing the packages of extras 'test' and 'torch' into $(VENV) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[test,torch]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.11 ..., or: apt-get install python3.11" >&2; exit 2; }
	@echo "creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) -m venv failed; on Debian it needs: apt-get install python3-venv" >&2; exit 2; }

iverilog:
	@command -v iverilog >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing iverilog ..." && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iverilog >/dev/null; } || \
	  { echo "iverilog is not on PATH; install it: sudo apt-get install iverilog" >&2; exit 2; }

# Only the VHDL readers of vectors need it, whose tests are skipped without.
ghdl:
	@command -v ghdl >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "installing ghdl ..." && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ghdl-mcode >/dev/null; } || \
	  echo "ghdl is not on PATH, so the tests of VHDL readers are skipped; install it: sudo apt-get install ghdl"
